/** Stands for text that only the shell will know when it runs. */
export const UNKNOWN = '\uFFFC'

/** Stands for text that was made here out of known text, in a way that is not followed: nobody does that but to hide it. */
export const HIDDEN = `${UNKNOWN}\uFFFB`

export const isKnown = (text: string): boolean => !text.includes(UNKNOWN)
export const isHidden = (text: string): boolean => text.includes(HIDDEN)

/** Whether nothing at all of a text is known. */
export const isBlank = (text: string): boolean => /^[\uFFFB\uFFFC\s]*$/.test(text)
