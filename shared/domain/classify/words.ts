import type { Assignment, CommandArgument, DoubleQuotedChild, Word, WordPart } from 'unbash'

/** Stands for text that only the shell will know when it runs. */
export const UNKNOWN = '\uFFFC'

export const isKnown = (text: string): boolean => !text.includes(UNKNOWN)

const MAX_VALUE = 65_536
const MAX_BRACE_WORDS = 64

/** What is known of the shell's variables while a command is read. */
export interface Variables {
  /** null: unset, or not known. */
  get(name: string): string | null
  set(name: string, value: string | null): void
  /** False once `characters` more would pass the budget: from then on values are unknown. Keeps expansion linear. */
  spend(characters: number): boolean
}

/** `HOME` stays `~`, so that a path in it is recognised without knowing whose it is. */
const WELL_KNOWN: Readonly<Record<string, string>> = { HOME: '~', PWD: '.', IFS: ' ', TMPDIR: '/tmp', '!': '%!' }

/** Variables of one command line. Values given twice and differing are unknown: which one holds is not followed. */
export const createVariables = (budget: number): Variables => {
  const values = new Map<string, string | null>()
  let left = budget
  return {
    get: (name) => {
      const value = values.get(name)
      return value === undefined ? (WELL_KNOWN[name] ?? null) : value
    },
    set: (name, value) => {
      const before = values.get(name)
      const unclear = value === null || value.length > MAX_VALUE || !isKnown(value)
      values.set(name, unclear || (before !== undefined && before !== value) ? null : value)
    },
    spend: (characters) => {
      left -= characters
      return left >= 0
    },
  }
}

/** A piece of a word: `splits` when the shell would cut it at blanks. */
interface Piece {
  readonly text: string
  readonly splits: boolean
  readonly braces: boolean
}

const variable = (name: string, variables: Variables): string => {
  const value = variables.get(name)
  if (value === null || !variables.spend(value.length)) return UNKNOWN
  return value
}

const partText = (part: WordPart | DoubleQuotedChild, variables: Variables): string => {
  switch (part.type) {
    case 'Literal':
    case 'SingleQuoted':
    case 'AnsiCQuoted':
    case 'Glob':
      return part.value
    case 'DoubleQuoted':
    case 'LocaleString':
      return part.parts.map((child) => partText(child, variables)).join('')
    case 'SimpleExpansion':
      return variable(part.text.slice(1), variables)
    case 'ParameterExpansion':
      return part.operation === undefined && part.prefix === undefined && part.index === undefined
        ? variable(part.parameter, variables)
        : UNKNOWN
    case 'ArithmeticExpansion':
      return UNKNOWN
    case 'ProcessSubstitution':
      return `/dev/fd/${UNKNOWN}`
    case 'CommandExpansion':
      return UNKNOWN
    case 'ExtendedGlob':
    case 'BraceExpansion':
      return part.text
  }
}

const piecesOf = (parts: readonly WordPart[], variables: Variables): Piece[] =>
  parts.map((part) => {
    const text = partText(part, variables)
    const splits = part.type === 'SimpleExpansion' || part.type === 'ParameterExpansion'
    const unclear = splits && variables.get('IFS') !== WELL_KNOWN['IFS'] && /\W/.test(text)
    return { text: unclear ? UNKNOWN : text, splits, braces: part.type === 'BraceExpansion' }
  })

/** `a{b,c}d` → `abd`, `acd`. Anything nested or too long is left unknown. */
const expandBraces = (pieces: readonly Piece[]): Piece[][] => {
  let words: Piece[][] = [[]]
  for (const piece of pieces) {
    if (!piece.braces) {
      for (const word of words) word.push(piece)
      continue
    }
    const inside = piece.text.slice(1, -1)
    const plain = inside.includes(',') && !/[{}\\'"$`]/.test(inside)
    const choices = plain ? inside.split(',') : [UNKNOWN]
    if (words.length * choices.length > MAX_BRACE_WORDS) return [[{ text: UNKNOWN, splits: false, braces: false }]]
    words = words.flatMap((word) => choices.map((text) => [...word, { text, splits: false, braces: false }]))
  }
  return words
}

const split = (pieces: readonly Piece[]): string[] => {
  const words: string[] = []
  let current: string[] | null = null
  for (const { text, splits } of pieces) {
    if (!splits || !/\s/.test(text)) {
      if (!splits || text !== '') (current ??= []).push(text)
      continue
    }
    const runs = text.split(/\s+/)
    runs.forEach((run, index) => {
      if (index > 0 && current !== null) {
        words.push(current.join(''))
        current = null
      }
      if (run !== '') (current ??= []).push(run)
    })
  }
  if (current !== null) words.push(current.join(''))
  return words
}

/** The arguments that one word becomes, as far as can be told without running anything. */
export const expandWord = (word: Word, variables: Variables): string[] => {
  const { parts } = word
  if (parts === undefined) return [word.value]
  const pieces = piecesOf(parts, variables)
  if (!pieces.some((piece) => piece.splits || piece.braces)) return [pieces.map((piece) => piece.text).join('')]
  return expandBraces(pieces).flatMap(split)
}

/** The one value that a word has where the shell does not split, as in an assignment or a redirection. */
export const valueOfWord = (word: Word, variables: Variables): string =>
  word.parts === undefined ? word.value : piecesOf(word.parts, variables).map((piece) => piece.text).join('')

/** The value an assignment gives, or null when it is an array or not known. */
export const valueOfAssignment = (assignment: Assignment, variables: Variables): string | null => {
  if (assignment.value.type === 'ArrayValue' || assignment.index !== undefined) return null
  const value = valueOfWord(assignment.value, variables)
  if (!isKnown(value)) return null
  if (assignment.append !== true) return value
  const before = variables.get(assignment.name)
  return before === null ? null : before + value
}

export const expandArgument = (argument: CommandArgument, variables: Variables): string[] => {
  if (argument.type === 'Word') return expandWord(argument, variables)
  return [`${argument.name}=${valueOfAssignment(argument, variables) ?? UNKNOWN}`]
}

/** Whether a program's name contains a glob, so that the shell picks the program. */
export const isGlob = (word: Word): boolean =>
  word.parts?.some((part) => part.type === 'Glob' || part.type === 'ExtendedGlob') ?? false

/** Text of a heredoc's body with its variables put in. */
export const textOfParts = (parts: readonly WordPart[], variables: Variables): string =>
  parts.map((part) => partText(part, variables)).join('')
