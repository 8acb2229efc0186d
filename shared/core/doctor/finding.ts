import type { Finding } from '../../contract/schemas/finding.ts'

export const ok = (name: string, message: string): Finding => ({ name, state: 'ok', message, todo: null })
export const warn = (name: string, message: string, todo: string | null): Finding => ({ name, state: 'warn', message, todo })
export const fail = (name: string, message: string, todo: string | null): Finding => ({ name, state: 'fail', message, todo })
