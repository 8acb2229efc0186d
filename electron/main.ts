import { app, crashReporter, Menu, protocol } from 'electron'
import { join } from 'node:path'
import { createDesktopBus } from './desktop-bus.ts'
import { findHost, killByProgram, locatePrograms, unlockByProgram } from './host-process/programs.ts'
import { askPortalForKeys } from './hotkey/portal.ts'
import { changeSettings, readSettings, settingsFile } from './settings.ts'
import { startShell } from './shell.ts'
import { createStartAtLogin } from './start-at-login.ts'
import { systemParts } from './system-parts.ts'
import { checkForUpdate } from './update-check.ts'
import { SCHEME } from './windows/app-pages.ts'

const { platform, env } = process
const home = env['HOLDFAST_HOME']
if (home !== undefined) app.setPath('userData', join(home, 'electron'))
app.enableSandbox()
protocol.registerSchemesAsPrivileged([{ scheme: SCHEME, privileges: { standard: true, secure: true } }])
// Electron's own box for it would stand still, and the kill switch with it.
process.on('uncaughtException', (error) => console.error(error))
// What crashed is written beside the app's own data, and nobody is told.
crashReporter.start({ uploadToServer: false })
if (platform === 'linux') askPortalForKeys(app.commandLine)

const main = async (): Promise<void> => {
  await app.whenReady()
  Menu.setApplicationMenu(null)
  // The same as in build/packaging: what Windows calls the app in notifications, and what starts at login.
  app.setAppUserModelId('dev.holdfast.app')
  if (app.isPackaged) app.setAsDefaultProtocolClient('holdfast')
  const userData = app.getPath('userData')
  const settings = readSettings(userData)
  const named = app.commandLine.getSwitchValue('holdfast-node')
  const programs = locatePrograms({ packaged: app.isPackaged, resources: process.resourcesPath, app: app.getAppPath(), named, platform })
  const shell = startShell({
    parts: systemParts,
    platform,
    appFolder: app.getAppPath(),
    settings,
    settingsFile: settingsFile(userData),
    keep: (changes) => changeSettings(userData, changes),
    startAtLogin: createStartAtLogin(app, platform, app.isPackaged ? (env['APPIMAGE'] ?? process.execPath) : null, app.getPath('appData')),
    newerVersion: () => checkForUpdate(settings.updates, app.getVersion()),
    ...createDesktopBus(platform, env),
    findHost: () => findHost(programs, env),
    killAlone: (sessionIds, lock) => killByProgram(programs, env, sessionIds, lock),
    unlock: () => unlockByProgram(programs, env),
  })
  app.on('second-instance', (_event, argv) => shell.open(argv))
  app.on('open-url', (_event, url) => shell.open([url]))
  app.on('activate', () => shell.open([])).on('window-all-closed', () => undefined)
  // The tests' own way in; nothing but this process itself sees it, and an installed app has none.
  if (!app.isPackaged) Object.assign(globalThis, { holdfast: shell })
  if (!app.commandLine.hasSwitch('background')) shell.open(process.argv)
}

if (app.requestSingleInstanceLock()) void main()
else app.quit()
