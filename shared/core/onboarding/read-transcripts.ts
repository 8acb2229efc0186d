import { constants } from 'node:fs'
import { lstat, open, readdir, realpath } from 'node:fs/promises'
import { join } from 'node:path'
import { createPastUseReader, type PastUse } from '../../domain/onboarding/past-use.ts'
import { PRICE_TABLE } from '../../domain/price-table.ts'

const MAX_FILES = 50
const MAX_BYTES = 64 * 1024 * 1024

const newest = async (folder: string): Promise<string[]> => {
  const names = await readdir(folder, { recursive: true }).catch(() => [])
  const files = []
  for (const name of names.filter((each) => each.endsWith('.jsonl'))) {
    const state = await lstat(join(folder, name)).catch(() => null)
    if (state?.isFile() === true && state.size <= MAX_BYTES) files.push({ path: join(folder, name), at: state.mtimeMs })
  }
  return files.sort((a, b) => b.at - a.at).slice(0, MAX_FILES).map(({ path }) => path)
}

/**
 * What Claude Code did in a folder before, from the newest 50 of its own transcripts (`projects/FOLDER/*.jsonl` in its
 * configuration folder, where every character of the path but letters and digits is a dash). None is no fault.
 */
export const readTranscripts = async (params: { readonly cwd: string; readonly claudeFolder: string }): Promise<PastUse> => {
  const cwd = await realpath(params.cwd)
  const reader = createPastUseReader({ cwd, prices: PRICE_TABLE })
  for (const path of await newest(join(params.claudeFolder, 'projects', cwd.replaceAll(/[^A-Za-z0-9]/g, '-')))) {
    const file = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK).catch(() => null)
    if (file === null) continue
    try {
      for await (const line of file.readLines()) reader.add(line)
    } finally {
      await file.close()
    }
  }
  return reader.result()
}
