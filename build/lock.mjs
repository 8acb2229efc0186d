import { linkSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { asTrouble, codeOf } from './say.mjs'

/**
 * A lock that is held. `add` names a child that does the locked work, so that the lock outlives its holder with it.
 * @typedef {{ add: (pid: number) => void, release: () => void }} Lock
 */

const NAME = /^bootstrap-lock\.(\d+)$/

/**
 * A process as `pid` or, where the system tells, `pid:start time`, so that a reused pid is not taken for its owner.
 * @param {number} pid
 */
function identify(pid) {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
    return fields[0] === 'Z' ? 'ended' : `${pid}:${fields[19]}`
  } catch {
    return String(pid)
  }
}

/** @param {string} owner */
function isAlive(owner) {
  const pid = Number.parseInt(owner, 10)
  try {
    process.kill(pid, 0)
  } catch (error) {
    if (codeOf(error) !== 'EPERM') return false
  }
  return identify(pid) === owner
}

/**
 * Waits until no other living bootstrap holds the folder, then holds it.
 *
 * The lock is the highest-numbered file; it lists its owners, and is free when none lives. Taking it means linking the
 * next number, which only one can do. A file is removed only by the holder of a higher one, so that a slow contender
 * that took a number already passed sees the higher one and steps back.
 * @param {string} folder
 * @returns {Promise<Lock>}
 */
export async function acquireLock(folder) {
  const aside = join(folder, `lock-of-${process.pid}`)
  const path = (/** @type {number} */ number) => join(folder, `bootstrap-lock.${number}`)
  const numbers = () => readdirSync(folder).flatMap((name) => NAME.exec(name)?.[1] ?? []).map(Number)
  const write = (/** @type {number[]} */ pids) => writeFileSync(aside, pids.map(identify).join(' '))

  const makeFolder = () => {
    try {
      mkdirSync(folder)
    } catch (error) {
      if (codeOf(error) !== 'EEXIST') throw error
    }
  }

  /** Gives the number taken, or 0 when another holds the folder or was faster. */
  const tryTake = () => {
    try {
      const last = Math.max(0, ...numbers())
      if (last > 0 && readFileSync(path(last), 'utf8').split(' ').filter(Boolean).some(isAlive)) return 0
      linkSync(aside, path(last + 1))
      if (Math.max(...numbers()) === last + 1) return last + 1
      rmSync(path(last + 1))
    } catch (error) {
      if (codeOf(error) !== 'EEXIST' && codeOf(error) !== 'ENOENT') throw error
    }
    return 0
  }

  try {
    makeFolder()
    write([process.pid])
    let mine = tryTake()
    if (mine === 0) process.stderr.write('holdfast: waiting for another run to finish preparing …\n')
    while (mine === 0) {
      await delay(100)
      mine = tryTake()
    }
    for (const number of numbers()) if (number < mine) rmSync(path(number), { force: true })
    const replace = (/** @type {number[]} */ pids) => {
      write(pids)
      renameSync(aside, path(mine))
    }
    return { add: (pid) => replace([process.pid, pid]), release: () => replace([]) }
  } catch (error) {
    throw asTrouble(error, folder)
  } finally {
    rmSync(aside, { force: true })
  }
}
