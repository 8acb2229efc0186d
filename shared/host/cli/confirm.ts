import { createInterface } from 'node:readline/promises'

/** One line that a person types at the terminal; '' when it is closed. */
export const askLine = async (question: string): Promise<string> => {
  const lines = createInterface({ input: process.stdin, output: process.stderr })
  try {
    const closed = new Promise<string>((resolve) => void lines.once('close', () => resolve('')))
    return (await Promise.race([lines.question(question), closed])).trim()
  } finally {
    lines.close()
  }
}

/** Asks a person at the terminal; anything but a yes is a no. */
export const confirm = async (question: string): Promise<boolean> => /^y(es)?$/i.test(await askLine(`${question} [y/N] `))
