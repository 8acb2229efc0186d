import { readdirSync, readFileSync } from 'node:fs'
import { extname, join } from 'node:path'

/** The app's own scheme: what has it comes from the app's files, whoever listens on whatever port. */
export const SCHEME = 'holdfast-app'

/** Each page has a window, a session and an origin of its own. */
export type PageName = 'approvals' | 'dashboard'

const FOLDERS: Readonly<Record<PageName, string>> = { approvals: 'approval', dashboard: 'dashboard' }

export const originOf = (name: PageName): string => `${SCHEME}://${name}`

export interface PageAnswer {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  readonly body: Buffer
}

const TYPES: Readonly<Record<string, string>> = { '.html': 'text/html; charset=utf-8', '.js': 'text/javascript; charset=utf-8', '.css': 'text/css; charset=utf-8' }

/** The pages' own scripts and styles, and no request to anywhere: what they say to the host goes over the preload. */
const HEADERS = {
  'Content-Security-Policy': "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'",
  'Cross-Origin-Opener-Policy': 'same-origin',
  'Cross-Origin-Resource-Policy': 'same-origin',
  'Referrer-Policy': 'no-referrer',
  'X-Content-Type-Options': 'nosniff',
  'Cache-Control': 'no-store',
}

/**
 * What answers a page's requests: the files of its folder, by their exact addresses, read once. No address is made into
 * a path, so none leads elsewhere. Throws the file system's error where the folder cannot be read.
 */
export const createAppPage = (folder: string, name: PageName): ((url: string) => PageAnswer) => {
  const files = new Map<string, PageAnswer>()
  const at = join(folder, FOLDERS[name])
  for (const file of readdirSync(at)) {
    const type = TYPES[extname(file)]
    if (type === undefined) continue
    const path = file === 'index.html' ? '' : file
    files.set(`${originOf(name)}/${path}`, { status: 200, headers: { ...HEADERS, 'Content-Type': type }, body: readFileSync(join(at, file)) })
  }
  const nothing = { status: 404, headers: { ...HEADERS, 'Content-Type': 'text/plain' }, body: Buffer.from('Nothing is here.') }
  return (url) => files.get(url) ?? nothing
}
