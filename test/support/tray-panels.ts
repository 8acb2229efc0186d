import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Browser } from 'playwright-core'
import { TRAY_ICONS } from '../../electron/tray/tray-view.ts'

const ICONS = fileURLToPath(new URL('../../electron/icons', import.meta.url))
const PANELS = ['#f6f5f4', '#dfe3e8', '#3b4045', '#1d1f21']

const image = (name: string, size: number): string => `<img width="${size}" height="${size}" src="data:image/png;base64,${readFileSync(join(ICONS, name)).toString('base64')}">`

/** A picture of every state of the tray on panels from light to dark, with the pixels that a panel gets at 1×, 2× and 3×. */
export const takeTrayPanels = async (browser: Browser, folder: string): Promise<void> => {
  for (const [scale, suffix] of [[1, ''], [2, '@2x'], [3, '@3x']] as const) {
    const context = await browser.newContext({ deviceScaleFactor: scale, viewport: { width: 420, height: 40 * PANELS.length } })
    const page = await context.newPage()
    const row = (colour: string): string => {
      const isDark = Number.parseInt(colour.slice(1, 3), 16) < 128
      const template = `<span style="${isDark ? 'filter:invert(1)' : ''}">${TRAY_ICONS.map((icon) => image(`tray-${icon}Template${suffix}.png`, 16)).join(' ')}</span>`
      return `<div style="background:${colour};height:40px;display:flex;align-items:center;gap:12px;padding:0 12px">${TRAY_ICONS.map((icon) => image(`tray-${icon}${suffix}.png`, 24)).join('')}<i style="flex:1"></i>${template}</div>`
    }
    await page.setContent(`<body style="margin:0">${PANELS.map(row).join('')}`)
    await page.screenshot({ path: join(folder, `tray-${scale}x.png`) })
    await context.close()
  }
}
