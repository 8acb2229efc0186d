import { visibleText } from '../../domain/visible-text.ts'

const TAB = '    '

/** Columns a character may take. Nothing but ASCII is sure to take one, so what fits by this count fits in every terminal. */
const widthOf = (character: string): number => ((character.codePointAt(0) ?? 0) < 0x7f ? 1 : 2)

/**
 * The text as rows of at most `columns` columns, nothing left out and nothing hidden: control and bidirectional
 * characters are written out, tabs are four spaces.
 */
export const wrapText = (text: string, columns: number): string[] =>
  visibleText(text)
    .replaceAll('\t', TAB)
    .split('\n')
    .flatMap((line) => {
      const rows: string[] = []
      let row = ''
      let width = 0
      for (const character of line) {
        const wide = widthOf(character)
        if (width + wide > columns && row !== '') {
          rows.push(row)
          row = ''
          width = 0
        }
        row += character
        width += wide
      }
      return [...rows, row]
    })
