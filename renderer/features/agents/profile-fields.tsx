import { useState } from 'react'
import { AlarmRule } from '../../../shared/contract/schemas/ledger.ts'
import { NetworkMode, RecordMode, RequestLogMode } from '../../../shared/contract/schemas/profile.ts'
import { fieldOf, withField, type FieldPath } from '../../../shared/domain/profile-edit.ts'
import { TextArea, TextField } from '../../ui/field.tsx'
import { Select } from '../../ui/select.tsx'

interface FieldProps {
  readonly text: string
  onChange(text: string): void
  readonly path: FieldPath
  readonly label: string
  readonly hint?: string
}

const useField = ({ text, onChange, path }: FieldProps) => ({
  value: fieldOf(text, path),
  set: (value: string | number | readonly string[] | undefined): void => {
    const next = withField(text, path, value)
    if (next !== null) onChange(next)
  },
})

const textOr = (value: unknown): string => (typeof value === 'string' ? value : '')

const WordField = (props: FieldProps & { placeholder?: string }) => {
  const { value, set } = useField(props)
  const { label, hint, placeholder } = props
  return <TextField mono label={label} hint={hint} placeholder={placeholder} value={textOr(value)} onChange={(text) => set(text === '' ? undefined : text)} />
}

const NumberField = (props: FieldProps & { step?: number }) => {
  const { value, set } = useField(props)
  const { label, hint, step = 1 } = props
  return (
    <TextField label={label} hint={hint} type="number" min={0} step={step} placeholder="no limit" value={typeof value === 'number' ? value : ''} onChange={(text) => set(text === '' ? undefined : Number(text))} />
  )
}

const ChoiceField = (props: FieldProps & { of: readonly string[]; unset: string }) => {
  const { value, set } = useField(props)
  return <Select label={props.label} hint={props.hint} value={textOr(value)} of={[{ value: '', name: props.unset }, ...props.of]} onChange={(next) => set(next === '' ? undefined : next)} />
}

const wordsOf = (typed: string): string[] => typed.split('\n').map((line) => line.trim()).filter((line) => line !== '')

/** One text a line. What is typed stays as it is typed, as long as it says the same. */
const LinesField = (props: FieldProps & { placeholder?: string }) => {
  const { value, set } = useField(props)
  const lines = Array.isArray(value) ? value.map(String) : []
  const [typed, setTyped] = useState(lines.join('\n'))
  const shown = JSON.stringify(wordsOf(typed)) === JSON.stringify(lines) ? typed : lines.join('\n')
  return (
    <TextArea
      mono
      label={props.label}
      hint={props.hint}
      rows={Math.max(2, lines.length + 1)}
      placeholder={props.placeholder}
      value={shown}
      onChange={(next) => {
        setTyped(next)
        set(wordsOf(next))
      }}
    />
  )
}

/** The fields of a profile as a form over its text: each reads from it, and writes into it. */
export const ProfileFields = (form: { text: string; onChange(text: string): void }) => {
  const servers = fieldOf(form.text, ['servers'])
  return (
    <div className="stack" style={{ gap: 16 }}>
      <div className="pair">
        <WordField {...form} path={['agent']} label="Agent’s name" hint="Its own identity, unique here." placeholder="claude-frontend" />
        <WordField {...form} path={['model', 'key']} label="Model key" hint="A secret’s name, never a key." placeholder="agent/anthropic" />
      </div>
      <fieldset>
        <legend>May do</legend>
        <LinesField {...form} path={['policy', 'deny']} label="Deny" hint="Never runs. One rule a line." placeholder="Bash(terraform apply:*)" />
        <LinesField {...form} path={['policy', 'ask']} label="Ask" hint="Waits for you." placeholder="Bash(git push:*)" />
        <LinesField {...form} path={['policy', 'allow']} label="Allow" hint="Asks no question. Name a destructive call exactly to allow it." placeholder="Bash(npm test:*)" />
        <div className="pair">
          <ChoiceField {...form} path={['network']} label="Network" of={NetworkMode.options} unset="allowlist (default)" />
          <ChoiceField {...form} path={['sandbox']} label="Container" of={['auto', 'off']} unset="auto (default)" />
        </div>
      </fieldset>
      <fieldset>
        <legend>May spend</legend>
        <div className="pair">
          <NumberField {...form} path={['limits', 'spendUsd']} label="Dollars a session" step={0.01} />
          <NumberField {...form} path={['limits', 'tokens']} label="Tokens a session" />
          <NumberField {...form} path={['limits', 'toolCallsPerMinute']} label="Tool calls a minute" />
          <NumberField {...form} path={['limits', 'modelRequestsPerMinute']} label="Model requests a minute" />
          <NumberField {...form} path={['limits', 'reviewEvery', 'minutes']} label="Pause for review, minutes" />
          <NumberField {...form} path={['limits', 'reviewEvery', 'calls']} label="Pause for review, calls" />
        </div>
      </fieldset>
      <fieldset>
        <legend>Gets and is</legend>
        <LinesField {...form} path={['command']} label="Command" hint="What runs, one word a line." placeholder="claude" />
        {typeof servers === 'object' && servers !== null ? (
          <p className="muted">Its MCP servers are written out in the text.</p>
        ) : (
          <WordField {...form} path={['servers']} label="MCP servers" hint="A file in the form of .mcp.json, from the profile’s folder." placeholder="mcp.json" />
        )}
        <LinesField {...form} path={['env', 'pass']} label="Variables that reach it" hint="Nothing else of your environment does." placeholder="PATH" />
        <div className="pair">
          <WordField {...form} path={['identity', 'git', 'name']} label="Commits as" placeholder="Claude (frontend)" />
          <WordField {...form} path={['identity', 'git', 'email']} label="Commits with" placeholder="claude@agents.example" />
        </div>
      </fieldset>
      <fieldset>
        <legend>Audit log</legend>
        <div className="pair">
          <ChoiceField {...form} path={['record', 'inputs']} label="Inputs" of={RecordMode.options} unset="full (default)" />
          <ChoiceField {...form} path={['record', 'results']} label="Results" of={RecordMode.options} unset="hashed (default)" />
        </div>
        <ChoiceField {...form} path={['record', 'requests']} label="Model requests, in a file beside it" of={RequestLogMode.options} unset="off (default)" />
        <LinesField {...form} path={['alarms', 'pause']} label="Alarms that pause it" hint={AlarmRule.options.join(', ')} />
      </fieldset>
    </div>
  )
}
