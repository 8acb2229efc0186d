import { closeSync, mkdtempSync, readdirSync, readlinkSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { openGroupSync } from '../../shared/core/storage/group-sync.ts'

const scratch = mkdtempSync(join(tmpdir(), 'holdfast-sync-'))
afterAll(() => rmSync(scratch, { recursive: true }))

test.skipIf(process.platform !== 'linux')('what closing could not make durable is durable for nobody who waited for it', async () => {
  const file = join(scratch, 'log')
  writeFileSync(file, '')
  const group = openGroupSync(file, 4_096)
  if (group === null) throw new Error('no file')
  const waits = group.sync()
  // The system has taken the file away.
  closeSync(Number(readdirSync('/proc/self/fd').find((fd) => isOpenAt(fd, file))))
  expect(() => group.close()).toThrow('EBADF')
  await expect(waits).rejects.toThrow('EBADF')
})

const isOpenAt = (fd: string, file: string): boolean => {
  try {
    return readlinkSync(`/proc/self/fd/${fd}`) === file
  } catch {
    return false
  }
}
