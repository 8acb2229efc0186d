import { contextBridge, ipcRenderer } from 'electron'
import type { AppBridge } from '../../shared/contract/app-bridge.ts'

// Runs in a sandbox beside the page, in a world of its own. The page gets three functions that carry text, and nothing of Electron.

let connection = 0
let listener: Parameters<AppBridge['open']>[0] = () => undefined

ipcRenderer.on('contract', (_event, of: number, frame: string | null) => {
  if (frame !== null) ipcRenderer.send('contract', of, 'taken', frame.length)
  if (of === connection) listener(frame)
})

const bridge: AppBridge = {
  open: (onFrame) => {
    connection += 1
    listener = onFrame
    ipcRenderer.send('contract', connection, 'open')
  },
  send: (frame) => ipcRenderer.send('contract', connection, 'frame', String(frame)),
  close: () => ipcRenderer.send('contract', connection, 'close'),
}

contextBridge.exposeInMainWorld('holdfastApp', bridge)
