import { lstatSync, readdirSync } from 'node:fs'
import path from 'node:path'

/** Folders that installers fill, and that pnpm and uv fill with hard links into a store which all projects share. */
const PACKAGES = /^(.*?\/(?:node_modules|site-packages))\/./
const FOLDERS_TRIED = 50
const FILES_TRIED = 3

const hasOtherNames = (folder: string): boolean => {
  try {
    const files = readdirSync(folder, { withFileTypes: true }).filter((entry) => entry.isFile())
    return files.slice(0, FILES_TRIED).some(({ name }) => lstatSync(path.join(folder, name)).nlink > 1)
  } catch {
    return false
  }
}

/**
 * A folder of packages among these whose files go by other names too: what is written into such a file is written there as
 * well, out of any container and past any checkpoint. null where none of some that are tried is such.
 */
export const linkedPackages = (folders: readonly string[]): string | null => {
  const candidates = folders.filter((folder) => PACKAGES.test(folder))
  const step = Math.max(1, Math.floor(candidates.length / FOLDERS_TRIED))
  const linked = candidates.find((folder, index) => index % step === 0 && hasOtherNames(folder))
  return linked === undefined ? null : (PACKAGES.exec(linked)?.[1] ?? null)
}
