import { useState, type FormEvent } from 'react'
import { HoldfastError } from '../../../shared/contract/errors.ts'
import type { ExplainedDecision } from '../../../shared/contract/schemas/policy.ts'
import { visibleText } from '../../../shared/domain/visible-text.ts'
import { useAction, useHost } from '../../connection/hooks.ts'
import { ClassBadge, EffectBadge } from '../../ui/badge.tsx'
import { Button } from '../../ui/button.tsx'
import { Fault } from '../../ui/note.tsx'
import { TextField, TextArea } from '../../ui/field.tsx'
import { Select } from '../../ui/select.tsx'
import { scopeParams, type Scope } from './scope.tsx'

/** The one field that says what these tools do; any other tool is given as JSON. */
const FIELDS: Readonly<Record<string, { field: string; label: string; example: string }>> = {
  Bash: { field: 'command', label: 'Command', example: 'git push --force' },
  Read: { field: 'file_path', label: 'File', example: '/home/you/.ssh/id_ed25519' },
  Write: { field: 'file_path', label: 'File', example: 'src/main.ts' },
  Edit: { field: 'file_path', label: 'File', example: 'src/main.ts' },
  WebFetch: { field: 'url', label: 'Address', example: 'https://docs.example.com/' },
}

const OTHER = 'other'
const WORDS: Readonly<Record<ExplainedDecision['effect'], string>> = { allow: 'It runs, and is recorded.', ask: 'It waits for your answer.', deny: 'It does not run.' }

const inputOf = (tool: string, text: string): unknown => {
  const known = FIELDS[tool]
  if (known !== undefined) return { [known.field]: text }
  try {
    return JSON.parse(text)
  } catch {
    throw new HoldfastError('bad-params', 'The input is not JSON. Give an object, such as {"title":"x"}.')
  }
}

const Result = ({ decision }: { decision: ExplainedDecision }) => (
  <section className="panel card" aria-label="The decision" role="status">
    <p className="bar">
      <span className={`effect ${decision.effect}`}>{decision.effect}</span> <ClassBadge of={decision.classification.class} /> <span className="muted">{WORDS[decision.effect]}</span>
    </p>
    {decision.classification.reasons.length > 0 && (
      <div className="stack tight">
        <h2>What it does</h2>
        <ul className="dots">
          {decision.classification.reasons.map((reason) => (
            <li key={reason}>{visibleText(reason)}</li>
          ))}
        </ul>
      </div>
    )}
    <div className="stack tight">
      <h2>By these rules</h2>
      <ul className="stack tight">
        {decision.rules.map((rule, index) => (
          <li key={index} className="bar">
            <EffectBadge of={rule.effect} /> <code style={{ overflowWrap: 'anywhere' }}>{visibleText(rule.rule)}</code>
            <span className="muted">{rule.source === rule.layer ? rule.layer : `${rule.layer}, ${visibleText(rule.source)}`}</span>
          </li>
        ))}
      </ul>
    </div>
  </section>
)

/** How one call would be decided, and why. Runs nothing. */
export const ExplainView = ({ scope }: { scope: Scope }) => {
  const host = useHost()
  const action = useAction()
  const [tool, setTool] = useState('Bash')
  const [name, setName] = useState('')
  const [text, setText] = useState('')
  const [decision, setDecision] = useState<ExplainedDecision | null>(null)
  const known = FIELDS[tool]
  const submit = (event: FormEvent): void => {
    event.preventDefault()
    action.run('Asking…', async () => {
      setDecision(null)
      setDecision(await host.call('policy/explain', { ...scopeParams(scope), tool: tool === OTHER ? name.trim() : tool, input: inputOf(tool, text) }))
    })
  }
  return (
    <>
      <form className="form" onSubmit={submit}>
        <div className="pair">
          <Select label="Tool" value={tool} of={[...Object.keys(FIELDS), { value: OTHER, name: 'another, or an MCP tool' }]} onChange={setTool} />
          {known === undefined && <TextField mono required label="Its name" placeholder="mcp__server__tool" value={name} onChange={setName} />}
        </div>
        <TextArea mono required label={known?.label ?? 'Input, as JSON'} placeholder={known?.example ?? '{"owner":"acme","repo":"web"}'} value={text} onChange={setText} />
        <div className="bar">
          <Button kind="primary" type="submit" disabled={action.busy !== null}>
            {action.busy ?? 'Explain'}
          </Button>
          <span className="muted">Nothing runs.</span>
        </div>
      </form>
      <Fault text={action.fault} />
      {decision !== null && <Result decision={decision} />}
    </>
  )
}
