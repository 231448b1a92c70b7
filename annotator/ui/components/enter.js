// Trade the word of the identity provider for our cookie, then open the app with it.

import { get, signIn, workAs } from "/api/ui/server.js";

export function mount(root, data) {
  workAs(data.person);
  enter(data.token).then((entered) => {
    if (entered) location.replace("/");
    else root.textContent = data.words.notEntered;
  });
  return { update() {}, unmount() {} };
}

// False where the page is too old, and where the browser keeps no cookie: loading again would go round in circles.
async function enter(token) {
  if (!(await signIn(token))) return false;
  return get("/api/tags").then(
    () => true,
    (error) => error.status !== 401,
  );
}
