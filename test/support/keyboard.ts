import type { Page } from 'playwright-core'

/** What a person hears of the control that has the focus. */
const FOCUSED = `(() => {
  const element = document.activeElement
  const by = document.getElementById(element.getAttribute('aria-labelledby') ?? '')
  return (element.getAttribute('aria-label') ?? by?.textContent ?? element.labels?.[0]?.textContent ?? element.textContent ?? '').trim()
})()`

/** Presses Tab until the control of this name has the focus. Throws Error when it is not reached. */
export const tabTo = async (page: Page, name: string | RegExp): Promise<void> => {
  for (let presses = 0; presses < 120; presses += 1) {
    const focused = (await page.evaluate(FOCUSED)) as string
    if (typeof name === 'string' ? focused === name : name.test(focused)) return
    await page.keyboard.press('Tab')
  }
  throw new Error(`no control ${String(name)} is reached by Tab`)
}

/** Goes to a control by Tab, and presses Enter on it. */
export const press = async (page: Page, name: string | RegExp, key = 'Enter'): Promise<void> => {
  await tabTo(page, name)
  await page.keyboard.press(key)
}

/** The same, once the approvals page takes an answer: what it shows is deaf in its first moment. */
export const pressWhenAwake = async (page: Page, name: string | RegExp): Promise<void> => {
  await page.waitForFunction(`new Promise((resolve) => setTimeout(resolve, 900)).then(() => true)`)
  await press(page, name)
}
