import { createRoot } from 'react-dom/client'
import '@xterm/xterm/css/xterm.css'
import 'uplot/dist/uPlot.min.css'
import './theme/theme.css'
import './ui/layout.css'
import { App, Welcome } from './app.tsx'
import { StoreContext } from './connection/hooks.ts'
import { logIn } from './connection/login.ts'
import { createStore } from './connection/store.ts'

const element = document.getElementById('app')
if (element === null) throw new Error('index.html has no place for the page')
const root = createRoot(element)
const token = await logIn()
if (token === null) root.render(<Welcome />)
else {
  root.render(
    <StoreContext value={createStore(token)}>
      <App />
    </StoreContext>,
  )
}
