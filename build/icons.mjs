import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join, resolve } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'

// Draws electron/icons anew: `node build/icons.mjs`. The pictures are kept in the repository, so that only who changes
// a drawing needs the Chromium that renders it.

const GLYPH = {
  hold: '<path d="M8.5 7v10M15.5 7v10M8.5 12h7"/>',
  ask: '<path d="M12 6.5v7M12 17.2v.1"/>',
  money: '<path d="M15.2 9.2C14.8 8 13.6 7.5 12 7.5c-1.9 0-3.2.9-3.2 2.2 0 3.2 6.6 1.5 6.6 4.7 0 1.4-1.4 2.2-3.4 2.2-1.8 0-3.1-.7-3.4-2M12 5.5v13"/>',
  dead: '<path d="M8 8l8 8M16 8l-8 8"/>',
}
const BOX = 'x="2" y="2" width="20" height="20" rx="5"'

/**
 * A filled tile with its sign cut out in white; on a template, in nothing.
 * @param {string} glyph
 */
const tile = (glyph) => (/** @type {string} */ colour, /** @type {boolean} */ template) =>
  template
    ? `<mask id="m"><rect width="24" height="24" fill="#fff"/><g stroke="#000" stroke-width="2.6" stroke-linecap="round" fill="none">${glyph}</g></mask><rect ${BOX} fill="${colour}" mask="url(#m)"/>`
    : `<rect ${BOX} fill="${colour}"/><g stroke="#fff" stroke-width="2.4" stroke-linecap="round" fill="none">${glyph}</g>`

/**
 * An empty frame: nothing is at work.
 * @param {string} glyph
 * @param {string} frame
 */
const outline = (glyph, frame = '') => (/** @type {string} */ colour) =>
  `<rect x="3" y="3" width="18" height="18" rx="4" fill="none" stroke="${colour}" stroke-width="2" ${frame}/><g stroke="${colour}" stroke-width="2.2" stroke-linecap="round" fill="none">${glyph}</g>`

/** Every state has a sign of its own: colour alone tells nothing to many eyes. Mid tones stand out on light and dark panels. */
const STATES = {
  idle: { colour: '#7f8b9a', draw: outline(GLYPH.hold) },
  running: { colour: '#2f7fe0', draw: tile(GLYPH.hold) },
  waiting: { colour: '#d97706', draw: tile(GLYPH.ask) },
  'over-budget': { colour: '#9b51e0', draw: tile(GLYPH.money) },
  killed: { colour: '#dc3b30', draw: tile(GLYPH.dead) },
  away: { colour: '#7f8b9a', draw: outline('<path d="M7.5 16.5l9-9"/>', 'stroke-dasharray="3.2 2.6"') },
}

/** @type {{ name: string, size: number, svg: string }[]} */
const pictures = []
const add = (/** @type {string} */ name, /** @type {number} */ size, /** @type {string} */ drawing) =>
  pictures.push({ name: `${name}.png`, size, svg: `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 24 24" width="${size}" height="${size}">${drawing}</svg>` })
for (const [state, { colour, draw }] of Object.entries(STATES)) {
  for (const [scale, suffix] of /** @type {const} */ ([[1, ''], [2, '@2x'], [3, '@3x']])) {
    add(`tray-${state}${suffix}`, 24 * scale, draw(colour, false))
    add(`tray-${state}Template${suffix}`, 16 * scale, draw('#000', true))
  }
}
for (const size of [16, 22, 24, 32, 48, 512]) add(`app/${size}`, size, tile(GLYPH.hold)('#0f5fb8', false))

const chromium = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'].find((path) => existsSync(path))
if (chromium === undefined) throw new Error('Rendering icons needs Chromium; install it with your package manager.')

const page = `<!doctype html><body><script>
const pictures = ${JSON.stringify(pictures)}
const render = async ({ name, size, svg }) => {
  const image = new Image()
  image.src = 'data:image/svg+xml,' + encodeURIComponent(svg)
  await image.decode()
  const canvas = document.createElement('canvas')
  canvas.width = canvas.height = size
  canvas.getContext('2d').drawImage(image, 0, 0)
  return name + ' ' + canvas.toDataURL('image/png').split(',')[1]
}
Promise.all(pictures.map(render)).then((lines) => { document.body.textContent = 'PNG ' + lines.join(' PNG ') })
</script>`
const scratch = mkdtempSync(join(tmpdir(), 'holdfast-icons-'))
try {
  writeFileSync(join(scratch, 'page.html'), page)
  const args = ['--headless', '--disable-gpu', '--timeout=15000', `--user-data-dir=${join(scratch, 'profile')}`, '--dump-dom']
  if (process.getuid?.() === 0) args.unshift('--no-sandbox')
  const { stdout } = spawnSync(chromium, [...args, pathToFileURL(join(scratch, 'page.html')).href], { encoding: 'utf8', maxBuffer: 64 * 1024 * 1024, timeout: 120_000 })
  const rendered = [...stdout.slice(stdout.lastIndexOf('<body>')).matchAll(/PNG (\S+) ([A-Za-z0-9+/=]+)/g)]
  if (rendered.length !== pictures.length) throw new Error(`Chromium rendered ${rendered.length} of ${pictures.length} pictures.`)
  const folder = resolve(dirname(fileURLToPath(import.meta.url)), '../electron/icons')
  rmSync(folder, { recursive: true, force: true })
  mkdirSync(join(folder, 'app'), { recursive: true })
  for (const [, name = '', data = ''] of rendered) writeFileSync(join(folder, name), Buffer.from(data, 'base64'))
  console.log(`${rendered.length} pictures in ${folder}`)
} finally {
  rmSync(scratch, { recursive: true, force: true })
}
