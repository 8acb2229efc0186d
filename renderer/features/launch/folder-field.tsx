import { useState, type DragEvent } from 'react'
import { visibleText } from '../../../shared/domain/visible-text.ts'
import { useAction, useHost, useQuery } from '../../connection/hooks.ts'
import { Button, Choice } from '../../ui/button.tsx'
import { Fault } from '../../ui/note.tsx'
import { Dialog } from '../../ui/dialog.tsx'
import { Badge } from '../../ui/badge.tsx'
import { TextField } from '../../ui/field.tsx'

/** One folder after another, to a choice. */
const Picker = ({ from, onChoose, onClose }: { from: string | null; onChoose(path: string): void; onClose(): void }) => {
  const [path, setPath] = useState<string | null>(from)
  const { data, fault } = useQuery('folder/list', { path })
  return (
    <Dialog title="Choose a folder" onClose={onClose}>
      <p className="mono" style={{ overflowWrap: 'anywhere' }}>{data === null ? '…' : visibleText(data.path)}</p>
      <Fault text={fault} />
      <ul className="panel" aria-label="Folders" style={{ height: '44vh', overflowY: 'auto' }}>
        {data !== null && data.parent !== null && (
          <li>
            <Choice onClick={() => setPath(data.parent)}>
              ↑ <span className="muted">one up</span>
            </Choice>
          </li>
        )}
        {data?.folders.map(({ name, hasGit }) => (
          <li key={name}>
            <Choice onClick={() => setPath(`${data.path === '/' ? '' : data.path}/${name}`)}>
              {visibleText(name)} {hasGit && <Badge look="quiet">git</Badge>}
            </Choice>
          </li>
        ))}
        {data?.folders.length === 0 && <li className="muted pad">It holds no folders.</li>}
        {data?.more === true && <li className="muted pad">There are more; type the path instead.</li>}
      </ul>
      <div className="bar">
        {fault !== null && <Button onClick={() => setPath(null)}>My home</Button>}
        <Button onClick={onClose}>Cancel</Button>
        <Button
          kind="primary"
          disabled={data === null}
          onClick={() => {
            if (data !== null) onChoose(data.path)
            onClose()
          }}
        >
          Choose this folder
        </Button>
      </div>
    </Dialog>
  )
}

/** The names of what a dropped folder holds; a browser tells no more of where it lies. */
const entriesOf = (folder: FileSystemDirectoryEntry): Promise<string[]> =>
  new Promise((resolve) => folder.createReader().readEntries((entries) => resolve(entries.map(({ name }) => name)), () => resolve([])))

/** Where the agent works: typed, chosen, or dropped. */
export const FolderField = ({ value, onChange }: { value: string; onChange(path: string): void }) => {
  const host = useHost()
  const action = useAction()
  const [picking, setPicking] = useState(false)
  const [over, setOver] = useState(false)
  const [said, setSaid] = useState<string | null>(null)
  const [among, setAmong] = useState<readonly string[]>([])

  const drop = (event: DragEvent): void => {
    event.preventDefault()
    setOver(false)
    setAmong([])
    const text = event.dataTransfer.getData('text/plain').trim()
    if (text.startsWith('/')) return onChange(text)
    const entry = event.dataTransfer.items[0]?.webkitGetAsEntry() ?? null
    if (entry === null || !entry.isDirectory) return setSaid('That is no folder. Drop the project’s folder.')
    action.run('Looking where it lies…', async () => {
      setSaid(null)
      const { paths } = await host.call('folder/find', { name: entry.name, holds: (await entriesOf(entry as FileSystemDirectoryEntry)).slice(0, 50) })
      if (paths.length === 1 && paths[0] !== undefined) onChange(paths[0])
      else setSaid(paths.length === 0 ? `A browser does not tell where a dropped folder lies, and no ${entry.name} with the same files was found below your home. Choose it instead.` : 'Several folders look like it:')
      setAmong(paths.length > 1 ? paths : [])
    })
  }
  return (
    <div
      className={`drop${over ? ' over' : ''}`}
      onDragOver={(event) => {
        event.preventDefault()
        setOver(true)
      }}
      onDragLeave={() => setOver(false)}
      onDrop={drop}
    >
      <div style={{ flex: '1 1 100%' }}>
        <TextField mono required label="Folder" hint="The project the agent works in. Type its path, choose it, or drop it here." placeholder="/home/you/project" value={value} onChange={onChange} />
      </div>
      <Button onClick={() => setPicking(true)}>Choose…</Button>
      {action.busy !== null && <span className="muted" role="status">{action.busy}</span>}
      {said !== null && <p role="status">{visibleText(said)}</p>}
      {among.map((path) => (
        <Button
          key={path}
          onClick={() => {
            onChange(path)
            setAmong([])
            setSaid(null)
          }}
        >
          {visibleText(path)}
        </Button>
      ))}
      <Fault text={action.fault} />
      {picking && <Picker from={value.trim() === '' ? null : value.trim()} onChoose={onChange} onClose={() => setPicking(false)} />}
    </div>
  )
}
