"""From what people have - folders, archives, lists, tables, tag lists - to pictures, rows and tags, or a clear refusal.

sources.py finds pictures, pictures.py reads one, opening.py opens any of their URIs again; tables.py reads labels,
vocabulary_files.py tags; near_duplicates.py groups what looks the same. refusals.py lists why something is left out.
"""
