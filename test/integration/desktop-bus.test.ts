import type { Socket } from 'node:net'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { createDesktopBus } from '../../electron/desktop-bus.ts'
import { ownName } from '../fixtures/bus-name.ts'
import { createKeyringSession, missingPrograms, type KeyringSession } from '../fixtures/keyring/session.ts'

const missing = missingPrograms().join(', ')
const TRAY = 'org.kde.StatusNotifierWatcher'
const NOTIFICATIONS = 'org.freedesktop.Notifications'

let session: KeyringSession
let owned: Socket[]
beforeEach(async () => {
  owned = []
  session = await createKeyringSession()
  await session.startBus()
})
afterEach(async () => {
  for (const socket of owned) socket.destroy()
  await session.end()
})
const bus = () => createDesktopBus('linux', { PATH: '/usr/bin:/bin', ...session.environment })
const own = async (name: string): Promise<void> => void owned.push(await ownName(session.environment.DBUS_SESSION_BUS_ADDRESS, name))

describe.skipIf(missing !== '' || process.platform !== 'linux')(`a Linux desktop’s bus${missing === '' ? '' : ` (missing: ${missing})`}`, () => {
  it('shows tray icons where somebody watches for them, and only there', async () => {
    expect(await bus().hasTray()).toBe(false)
    await own(TRAY)
    expect(await bus().hasTray()).toBe(true)
  })

  it('takes no notifications where nobody shows them, nor where the one who does hangs', async () => {
    expect(await bus().takesNotifications()).toBe(false)
    await own(NOTIFICATIONS)
    expect(await bus().takesNotifications()).toBe(false)
  })

  it('is not asked elsewhere, and where it cannot be asked nothing is taken for a tray', async () => {
    const none = createDesktopBus('linux', { PATH: '/nonexistent' })
    expect([await none.hasTray(), await none.takesNotifications()]).toEqual([false, true])
    const mac = createDesktopBus('darwin', {})
    expect([await mac.hasTray(), await mac.takesNotifications()]).toEqual([true, true])
  })
})
