import { describe, expect, it } from 'vitest'
import { desktopEnvironment, displayAddress } from '../../shared/host/cli/display.ts'
import { chooseShell } from '../../shared/host/cli/open-electron.ts'

describe('the shell that is picked', () => {
  const all = { display: true, binary: true, root: false, browser: true }

  it('is Electron where its binary and a display are, else the browser, else none, and says why in one line', () => {
    expect(chooseShell(all)).toEqual({ shell: 'electron', why: 'its binary is here and a display answers' })
    expect(chooseShell({ ...all, binary: false })).toEqual({
      shell: 'browser',
      why: 'no Electron binary is here; "node_modules/.bin/install-electron" fetches it from its makers, some 120 MB, and nothing does so by itself',
    })
    expect(chooseShell({ ...all, root: true })).toEqual({ shell: 'browser', why: "Electron's sandbox needs a user other than root" })
    expect(chooseShell({ ...all, root: true, browser: false })).toEqual({ shell: 'none', why: "Electron's sandbox needs a user other than root; and no browser was found" })
    expect(chooseShell({ ...all, display: false })).toEqual({ shell: 'none', why: 'no display answers' })
  })

  it('looks for the display where the environment says it is', () => {
    expect(displayAddress({ DISPLAY: ':1' })).toEqual({ path: '/tmp/.X11-unix/X1' })
    expect(displayAddress({ DISPLAY: 'unix:0.0' })).toEqual({ path: '/tmp/.X11-unix/X0' })
    expect(displayAddress({ DISPLAY: 'localhost:10.0' })).toEqual({ host: 'localhost', port: 6010 })
    expect(displayAddress({ DISPLAY: ':1', WAYLAND_DISPLAY: 'wayland-0', XDG_RUNTIME_DIR: '/run/user/1000' })).toEqual({ path: '/run/user/1000/wayland-0' })
    for (const env of [{}, { DISPLAY: '' }, { DISPLAY: 'nonsense' }, { WAYLAND_DISPLAY: 'wayland-0' }]) expect(displayAddress(env)).toBeNull()
  })

  it('gives a program with windows what it needs of the environment, and no more', () => {
    expect(desktopEnvironment({ DISPLAY: ':1', HOME: '/home/me', ANTHROPIC_API_KEY: 'sk-canary', NODE_OPTIONS: '--require /tmp/x', ELECTRON_RUN_AS_NODE: '1' })).toEqual({ DISPLAY: ':1', HOME: '/home/me' })
  })
})
