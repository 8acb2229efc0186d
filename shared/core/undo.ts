/** Steps that undo what was opened, in the order it was. */
export type Undo = (() => unknown)[]

/** Takes the steps, newest first, each whatever became of the others; `log` hears of those that failed. */
export const undoAll = async (steps: Undo, log: (line: string) => void): Promise<void> => {
  for (const undo of steps.splice(0).reverse()) {
    try {
      await undo()
    } catch (error) {
      log(`a part of the host did not stop in order: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`)
    }
  }
}

