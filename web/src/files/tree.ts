// The files as a tree: which rows are on the screen when some folders are open, or when a name is looked for.
import type { TreeFile } from "../api/types";

export interface TreeRow {
  /** The path of a file, or of a folder with a `/` at its end. */
  readonly path: string;
  readonly name: string;
  /** From 1. */
  readonly level: number;
  readonly file: TreeFile | null;
  /** Whether a folder has something new or changed in it. */
  readonly touched: boolean;
  readonly open: boolean;
  /** Its place among those beside it, from 1, and how many these are. */
  readonly place: number;
  readonly of: number;
}

interface Folder {
  readonly path: string;
  readonly name: string;
  readonly folders: Map<string, Folder>;
  readonly files: TreeFile[];
  touched: boolean;
}

const newFolder = (path: string, name: string): Folder => ({
  path,
  name,
  folders: new Map(),
  files: [],
  touched: false,
});

/** The tree of files that are in the order of their paths. */
export function treeOf(files: readonly TreeFile[]): Folder {
  const top = newFolder("", "");
  for (const file of files) {
    const parts = file.path.split("/");
    let at = top;
    let path = "";
    if (file.mark) top.touched = true;
    for (const name of parts.slice(0, -1)) {
      path += `${name}/`;
      let next = at.folders.get(name);
      if (!next) {
        next = newFolder(path, name);
        at.folders.set(name, next);
      }
      at = next;
      if (file.mark) at.touched = true;
    }
    at.files.push(file);
  }
  return top;
}

/** The rows that are there when these folders are open: folders first, then files. */
export function rowsOf(top: Folder, isOpen: (folder: string) => boolean): TreeRow[] {
  const rows: TreeRow[] = [];
  const add = (folder: Folder, level: number) => {
    const of = folder.folders.size + folder.files.length;
    let place = 0;
    for (const next of folder.folders.values()) {
      place += 1;
      const open = isOpen(next.path);
      const { path, name, touched } = next;
      rows.push({ path, name, level, file: null, touched, open, place, of });
      if (open) add(next, level + 1);
    }
    for (const file of folder.files) {
      place += 1;
      const name = file.path.slice(folder.path.length);
      const touched = Boolean(file.mark);
      rows.push({ path: file.path, name, level, file, touched, open: false, place, of });
    }
  };
  add(top, 1);
  return rows;
}

/** The files in whose paths every typed word occurs, in any case. */
export function matching(files: readonly TreeFile[], typed: string): readonly TreeFile[] {
  const words = typed.toLowerCase().split(/\s+/).filter(Boolean);
  if (words.length === 0) return files;
  return files.filter((file) => {
    const path = file.path.toLowerCase();
    return words.every((word) => path.includes(word));
  });
}

/** The folders around a path. */
export function foldersOf(path: string): string[] {
  const parts = path.split("/").slice(0, -1);
  return parts.map((_, place) => `${parts.slice(0, place + 1).join("/")}/`);
}
