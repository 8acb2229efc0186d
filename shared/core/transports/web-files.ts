import { readdir, readFile } from 'node:fs/promises'
import { extname, join } from 'node:path'

export interface WebFile {
  readonly type: string
  readonly bytes: Buffer
}

const TYPES: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.svg': 'image/svg+xml',
}

/** The files of one page, by the path they are asked for: all there is to serve, so that no path can lead elsewhere. */
export const readWebFiles = async (folder: string): Promise<ReadonlyMap<string, WebFile>> => {
  const names = await readdir(folder).catch(() => [])
  const files = new Map<string, WebFile>()
  for (const name of names) {
    const type = TYPES[extname(name)]
    if (type !== undefined) files.set(name === 'index.html' ? '/' : `/${name}`, { type, bytes: await readFile(join(folder, name)) })
  }
  return files
}
