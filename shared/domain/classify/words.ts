import type { Assignment, CommandArgument, DoubleQuotedChild, ParameterExpansionPart, Word, WordPart } from 'unbash'
import { HIDDEN, isHidden, isKnown, UNKNOWN } from './unknown.ts'
import type { Variables } from './variables.ts'

const MAX_BRACE_WORDS = 64
const MAX_PRINTED = 65_536

/** A piece of a word: `splits` when the shell would cut it at blanks. */
interface Piece {
  readonly text: string
  readonly splits: boolean
  readonly braces: boolean
}

const textOfVariable = (name: string, variables: Variables): string => {
  const values = variables.valuesOf(name)
  const text = values === null ? UNKNOWN : values.join(' ')
  return variables.spend(text.length) ? text : HIDDEN
}

/** `${name…}`: what is worked out of a known value, and not followed here, is hidden. */
const textOfExpansion = (part: ParameterExpansionPart, variables: Variables): string => {
  const { parameter, operation, prefix, index } = part
  if (prefix === '#') return UNKNOWN
  const known = variables.valuesOf(parameter) !== null || variables.arrayOf(parameter) !== null
  if (prefix !== undefined) return known ? HIDDEN : UNKNOWN
  if (operation?.type === 'Default') {
    const instead = valueOfWord(operation.operand, variables)
    if (operation.operator.endsWith('+')) return instead
    return known || operation.operator.endsWith('?') ? textOfVariable(parameter, variables) : instead
  }
  if (operation !== undefined) return known ? HIDDEN : UNKNOWN
  if (index === undefined) return variables.arrayOf(parameter)?.[0] ?? textOfVariable(parameter, variables)
  const elements = variables.arrayOf(parameter)
  if (elements === null) return variables.valuesOf(parameter) === null ? UNKNOWN : HIDDEN
  const text = index.value === '@' || index.value === '*' ? elements.join(' ') : /^\d+$/.test(index.value) ? (elements[Number(index.value)] ?? '') : HIDDEN
  return variables.spend(text.length) ? text : HIDDEN
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
      return textOfVariable(part.text.slice(1), variables)
    case 'ParameterExpansion':
      return textOfExpansion(part, variables)
    case 'ArithmeticExpansion':
      return UNKNOWN
    case 'ProcessSubstitution':
      return `/dev/fd/${UNKNOWN}`
    case 'CommandExpansion':
      return part.script === undefined || !variables.spend(part.end - part.pos) ? UNKNOWN : variables.outputOf(part.script)
    case 'ExtendedGlob':
    case 'BraceExpansion':
      return part.text
  }
}

/** Whether the shell cuts at other signs than blanks, and finds one. */
const splitsOddly = (text: string, separators: string | null): boolean =>
  separators === null || [...separators].some((sign) => sign !== ' ' && text.includes(sign))

/** Whether an expansion becomes several words even between double quotes: `$@`, an array, a variable of more than one value. */
const isMany = (part: WordPart | DoubleQuotedChild, variables: Variables): boolean => {
  if (part.type === 'SimpleExpansion') return part.text === '$@' || (variables.valuesOf(part.text.slice(1))?.length ?? 0) > 1
  if (part.type !== 'ParameterExpansion') return false
  return part.parameter === '@' || part.index?.value === '@' || (variables.valuesOf(part.parameter)?.length ?? 0) > 1
}

const piecesOf = (parts: readonly WordPart[], variables: Variables): Piece[] =>
  parts.map((part) => {
    const text = partText(part, variables)
    const splits = part.type === 'SimpleExpansion' || part.type === 'ParameterExpansion' || part.type === 'CommandExpansion'
      || (part.type === 'DoubleQuoted' && part.parts.some((child) => isMany(child, variables)))
    const odd = splits && splitsOddly(text, variables.get('IFS'))
    const hidden = splits && (odd || isHidden(text))
    return { text: hidden ? ` ${HIDDEN} ` : text, splits, braces: part.type === 'BraceExpansion' }
  })

/** `1..5` and `a..e`; null when it is no sequence, or too long. */
const sequenceOf = (inside: string): string[] | null => {
  const [, from = '', to = ''] = /^(-?\d{1,9}|[a-zA-Z])\.\.(-?\d{1,9}|[a-zA-Z])$/.exec(inside) ?? []
  const numeric = /\d/.test(from)
  if (from === '' || numeric !== /\d/.test(to)) return null
  const [first, last] = numeric ? [Number(from), Number(to)] : [from.charCodeAt(0), to.charCodeAt(0)]
  if (Math.abs(last - first) >= MAX_BRACE_WORDS) return null
  return Array.from({ length: Math.abs(last - first) + 1 }, (_, index) => {
    const value = first + (last < first ? -index : index)
    return numeric ? String(value) : String.fromCharCode(value)
  })
}

const choicesOf = (inside: string): string[] => {
  if (inside.includes(',') && !/[{}\\'"$`]/.test(inside)) return inside.split(',')
  return sequenceOf(inside) ?? [/^\d+\.\.\d+(\.\.\d+)?$/.test(inside) ? UNKNOWN : HIDDEN]
}

/** `a{b,c}d` → `abd`, `acd`. What is nested, or too long, is hidden. */
const expandBraces = (pieces: readonly Piece[]): Piece[][] => {
  let words: Piece[][] = [[]]
  for (const piece of pieces) {
    if (!piece.braces) {
      for (const word of words) word.push(piece)
      continue
    }
    const choices = choicesOf(piece.text.slice(1, -1))
    if (words.length * choices.length > MAX_BRACE_WORDS) return [[{ text: HIDDEN, splits: false, braces: false }]]
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
  if (!isKnown(value)) return isHidden(value) ? HIDDEN : null
  if (assignment.append !== true) return value
  const before = variables.get(assignment.name)
  if (before !== null) return before + value
  return variables.valuesOf(assignment.name) === null ? null : HIDDEN
}

/** The elements that an assignment gives an array; null when it is none. */
export const elementsOfAssignment = (assignment: Assignment, variables: Variables): readonly string[] | null => {
  const { value, name, append, index } = assignment
  if (index !== undefined) {
    const before = variables.arrayOf(name)
    return before === null && variables.valuesOf(name) === null && value.type === 'ArrayValue' ? null : [...(before ?? []), HIDDEN]
  }
  if (value.type !== 'ArrayValue') return null
  const elements = value.elements.flatMap((element) => expandWord(element, variables))
  return append === true ? [...(variables.arrayOf(name) ?? []), ...elements] : elements
}

const PRINTED: Readonly<Record<string, string>> = { '\\n': '\n', '\\t': '\t' }

/** What echo and printf print, as far as it can be told; hidden when they are given more than is followed here. */
export const textOfPrint = (argv: readonly string[]): string => {
  const words = argv.slice(1)
  if (argv[0] === 'echo') {
    while (/^-[neE]+$/.test(words[0] ?? '')) words.shift()
    const text = words.join(' ').replace(/\\[nrt]/g, (mark) => PRINTED[mark] ?? ' ')
    return isKnown(text) && /\\/.test(text) ? HIDDEN : text
  }
  const [format = '', ...values] = words
  if (/\\[^nrt]|%[^sd%]/.test(format)) return isKnown(words.join('')) ? HIDDEN : UNKNOWN
  const wanted = format.match(/%[sd]/g)?.length ?? 0
  let text = ''
  let next = 0
  do {
    text += format.replace(/\\[nrt]/g, (mark) => PRINTED[mark] ?? ' ').replace(/%[sd%]/g, (mark) => (mark === '%%' ? '%' : (values[next++] ?? '')))
  } while (wanted > 0 && next < values.length && text.length < MAX_PRINTED)
  return text
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

/** Whether the program's name is worked out by an expansion, as in `${x:-rm}`: which one holds is not followed. */
export const isWorkedOut = (word: Word): boolean =>
  word.parts?.some((part) => part.type === 'ParameterExpansion' && part.operation !== undefined) ?? false
