/**
 * One thing that was looked at. `fail`: no session can be started or held like this. `warn`: sessions run, and
 * something is missing. `todo` says what to do about it, null where there is nothing to do.
 */
export interface Finding {
  readonly name: string
  readonly state: 'ok' | 'warn' | 'fail'
  readonly message: string
  readonly todo: string | null
}

export const ok = (name: string, message: string): Finding => ({ name, state: 'ok', message, todo: null })
export const warn = (name: string, message: string, todo: string | null): Finding => ({ name, state: 'warn', message, todo })
export const fail = (name: string, message: string, todo: string | null): Finding => ({ name, state: 'fail', message, todo })
