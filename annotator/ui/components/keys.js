// Keys for a component: they work without a click into it first, but not while something else is typed or chosen.

const TYPING = "input, textarea, select, [contenteditable], [role=combobox], [role=radio], [role=slider], [role=option]";

// act(event) says whether it used the key. A key held down acts once, arrows apart. selectAll, where there is such a
// thing, is for Ctrl+A. Returns how to let go.
export function listen(root, act, selectAll = null) {
  const withAModifier = (event) => {
    if (!event.ctrlKey && !event.metaKey && !event.altKey) return false;
    if (selectAll && !event.altKey && event.key.toLowerCase() === "a") {
      selectAll();
      event.preventDefault();
    }
    return true;
  };
  const inside = (event) => {
    event.stopPropagation(); // Streamlit's own hot keys look at letters typed here otherwise
    if (event.target.matches?.("input:not([type=radio], [type=range]), [role=option]")) return;
    if (event.target.matches?.("input") && (event.key.startsWith("Arrow") || event.key === " ")) return;
    if (withAModifier(event)) return;
    if (event.repeat && !event.key.startsWith("Arrow")) {
      if (event.key === "Enter" || event.key === " ") event.preventDefault();
      return;
    }
    if (act(event)) event.preventDefault();
  };
  const outside = (event) => {
    const target = event.composedPath()[0];
    const pressing = target.matches?.("button, a, [role=button]") && ["Enter", " "].includes(event.key);
    if (event.composedPath().includes(root) || target.matches?.(TYPING) || pressing || !root.isConnected) return;
    if (event.repeat || withAModifier(event)) return;
    if (act(event)) {
      event.preventDefault();
      event.stopPropagation();
    }
  };
  const release = (event) => {
    if (event.key === " " && event.target.closest?.(".cell")) event.preventDefault(); // used at the key down
  };
  root.addEventListener("keydown", inside);
  root.addEventListener("keyup", release);
  document.addEventListener("keydown", outside, true);
  return () => document.removeEventListener("keydown", outside, true);
}

// Streamlit takes these two for itself when nobody else does.
export const isReserved = (event) => event.key === "r" || event.key === "c";
