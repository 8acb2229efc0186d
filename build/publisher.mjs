import { Trouble } from './say.mjs'

/** Packages of these kinds name who maintains them and their home page. */
const NAMING = new Set(['deb', 'rpm'])

/**
 * Whether electron-builder, called with these arguments on this platform, makes such a package.
 * @param {readonly string[]} args
 * @param {string} platform
 */
export function namesPublisher(args, platform) {
  if (args.includes('--dir')) return false
  const named = args.filter((arg) => !arg.startsWith('-'))
  const forLinux = args.some((arg) => ['--linux', '-l'].includes(arg)) || (platform === 'linux' && !args.some((arg) => ['--mac', '-m', '--win', '-w'].includes(arg)))
  return forLinux && (named.length === 0 || named.some((target) => NAMING.has(target)))
}

/**
 * Who maintains the packages and where their home is: HOLDFAST_MAINTAINER and HOLDFAST_HOMEPAGE, else the package file's
 * author and homepage. Throws Trouble where that is missing or a placeholder: nobody can write to `.invalid`.
 * @param {NodeJS.ProcessEnv} env
 * @param {{ author?: string | { name?: string, email?: string }, homepage?: string }} file
 */
export function publisherOf(env, { author, homepage }) {
  const ofFile = typeof author === 'object' ? `${author.name ?? ''} <${author.email ?? ''}>` : (author ?? '')
  const maintainer = env['HOLDFAST_MAINTAINER'] ?? ofFile
  const home = env['HOLDFAST_HOMEPAGE'] ?? homepage ?? ''
  const isAPerson = /^[^<>\n]*[^<>\s][^<>\n]* <[^<>@\s]+@[^<>@\s]+\.[^<>@\s]+>$/.test(maintainer) && !maintainer.endsWith('.invalid>')
  const isAPage = /^https?:\/\/[^\s/]+\.[^\s/]+(\/\S*)?$/.test(home) && !/\.invalid(\/|$)/.test(home)
  if (isAPerson && isAPage) return { maintainer, homepage: home }
  throw new Trouble(
    `A deb or rpm names ${isAPerson ? '' : 'who maintains it'}${isAPerson || isAPage ? '' : ' and '}${isAPage ? '' : 'its home page'}, and none is given. Give them as\n` +
      '  HOLDFAST_MAINTAINER="Your Name <you@your.domain>" HOLDFAST_HOMEPAGE="https://your.domain/holdfast" npm run package\n' +
      'or as "author" and "homepage" in package.json. `npm run package -- --dir` needs neither.',
  )
}
