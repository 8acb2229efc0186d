import type { Terminal } from '@xterm/xterm'

// The terminal sets its looks with style elements and style attributes, which the page's policy forbids as it forbids an
// intruder's. Here both become what a script alone can make: style sheet objects, and properties of an element.

HTMLSpanElement.prototype.setAttribute = function setAttribute(this: HTMLSpanElement, name: string, value: string): void {
  if (name === 'style') this.style.cssText = value
  else Element.prototype.setAttribute.call(this, name, value)
}

/** Stands in for a style element: what is written into it becomes a style sheet object, which no markup can make. */
const createSheet = (): HTMLElement => {
  const sheet = new CSSStyleSheet()
  document.adoptedStyleSheets = [...document.adoptedStyleSheets, sheet]
  const element = document.createElement('span')
  element.hidden = true
  const remove = element.remove.bind(element)
  Object.defineProperty(element, 'textContent', {
    set: (text: string) => {
      sheet.replaceSync(text)
    },
  })
  element.remove = () => {
    document.adoptedStyleSheets = document.adoptedStyleSheets.filter((one) => one !== sheet)
    remove()
  }
  return element
}

/** Opens the terminal, which makes its style elements meanwhile. (Its own `documentOverride` does not reach all of them in 6.0.) */
export const openStyled = (terminal: Terminal, element: HTMLElement): void => {
  const create = document.createElement.bind(document)
  document.createElement = ((tag: string, options?: ElementCreationOptions) => (tag === 'style' ? createSheet() : create(tag, options))) as typeof document.createElement
  try {
    terminal.open(element)
  } finally {
    Reflect.deleteProperty(document, 'createElement')
  }
}
