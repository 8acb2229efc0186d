import { HoldfastError } from '../../contract/errors.ts'

/** Arguments that an agent may be started with. Everything else that begins with a dash is refused. */
export interface AllowedArguments {
  /** Flags, each with whether it takes a value. */
  readonly flags: Readonly<Record<string, 'none' | 'one'>>
  /** Subcommands that leave the session, change this machine or open a door of their own. */
  readonly refusedSubcommands: readonly string[]
}

/** Throws HoldfastError `agent-refused` for an argument that would loosen what holds the session. */
export const checkArguments = (agent: string, args: readonly string[], { flags, refusedSubcommands }: AllowedArguments): void => {
  const refuse = (what: string): never => {
    throw new HoldfastError('agent-refused', `Holdfast does not start ${agent} with ${what.slice(0, 200)}: only arguments that are known to loosen nothing pass.`)
  }
  let isFirst = true
  for (let at = 0; at < args.length; at += 1) {
    const argument = args[at] ?? ''
    if (argument === '--') return
    if (!argument.startsWith('-') || argument === '-') {
      if (isFirst && refusedSubcommands.includes(argument)) refuse(argument)
      isFirst = false
      continue
    }
    const [name = '', value] = argument.split('=', 2)
    if (!Object.hasOwn(flags, name)) refuse(name)
    if (flags[name] === 'one' && value === undefined) at += 1
  }
}
