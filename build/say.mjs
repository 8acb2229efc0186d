/** An expected failure: its message says what is wrong and what to do next. */
export class Trouble extends Error {}

/** The user stopped the work with a signal. */
export class Stopped extends Error {
  /** @param {NodeJS.Signals} signal */
  constructor(signal) {
    super(`stopped by ${signal}`)
    this.signal = signal
  }
}

/**
 * Advice for what commonly fails on a machine, found in a system error code or in npm's own words.
 * @type {[RegExp, (place: string) => string][]}
 */
const ADVICE = [
  [/ENOSPC|EDQUOT/, (place) => `The disk that holds ${place} is full. Free about 1 GB and run the command again.`],
  [
    /EACCES|EPERM|EROFS/,
    (place) => `${place} cannot be written. Give your user write access, or clone to a folder of your own.`,
  ],
  [
    /ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ECONNRESET|ETIMEDOUT|ENETUNREACH|EHOSTUNREACH|ERR_SOCKET_TIMEOUT/,
    () => 'The package registry cannot be reached. Check the network and the proxy settings of npm, then try again.',
  ],
  [
    /EINTEGRITY/,
    () => 'A downloaded package is not the one in the lock file. Run `npm cache clean --force`, then try again.',
  ],
  [/EUSAGE/, (place) => `package.json and package-lock.json disagree. Run \`npm install\` in ${place}.`],
]

/**
 * What to do about a failure in `place`, or an empty string when nothing is known about it.
 * @param {string} text
 * @param {string} place
 */
export function advise(text, place) {
  return ADVICE.find(([pattern]) => pattern.test(text))?.[1](place) ?? ''
}

/**
 * The system's code of an error (`ENOENT`), or an empty string.
 * @param {unknown} error
 */
export function codeOf(error) {
  return error instanceof Error && 'code' in error ? String(error.code) : ''
}

/**
 * A failed write as trouble with advice; anything else unchanged.
 * @param {unknown} error
 * @param {string} place
 */
export function asTrouble(error, place) {
  const advice = advise(codeOf(error), place)
  return advice === '' ? error : new Trouble(`${advice}\n  ${error}`)
}

/**
 * Runs one piece of work under one line on standard error: what, its note, and the time when it took over a second.
 * @param {string} what
 * @param {() => Promise<string | void>} work
 */
export async function withLine(what, work) {
  process.stderr.write(`holdfast: ${what} … `)
  const startedAt = performance.now()
  try {
    const note = (await work()) ?? 'done'
    const seconds = (performance.now() - startedAt) / 1000
    process.stderr.write(`${note}${seconds >= 1 ? ` (${seconds.toFixed(1)} s)` : ''}\n`)
  } catch (error) {
    process.stderr.write('failed\n')
    throw error
  }
}
