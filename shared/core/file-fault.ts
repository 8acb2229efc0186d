import { HoldfastError } from '../contract/errors.ts'

/** What a failed write means for a person: HoldfastError `disk-full` or `read-only`, else the error as it came. */
export const asFileFault = (path: string, error: unknown): unknown => {
  const code = error instanceof Error && 'code' in error ? error.code : undefined
  if (code === 'ENOSPC' || code === 'EDQUOT') {
    return new HoldfastError('disk-full', `There is no room left to write ${path}. Make some, then try again.`, {
      cause: error,
    })
  }
  if (code === 'EROFS' || code === 'EACCES' || code === 'EPERM') {
    return new HoldfastError(
      'read-only',
      `${path} cannot be written. Make its folder writable, or set HOLDFAST_HOME to one that is.`,
      { cause: error },
    )
  }
  return error
}
