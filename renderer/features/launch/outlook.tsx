import type { ReactNode } from 'react'
import type { ResolvedProfile } from '../../../shared/contract/schemas/setup.ts'
import { visibleText } from '../../../shared/domain/visible-text.ts'
import { Note } from '../../ui/note.tsx'

const NETWORK: Readonly<Record<ResolvedProfile['network'], string>> = {
  gateway: 'Of the network it reaches its model, and nothing else.',
  allowlist: 'Of the network it reaches its model, the package registries of the project’s tools and the hosts that rules name; any other host is a question to you.',
  open: 'It reaches the whole network, and what it sends there is not seen.',
}

/** Rules drawn at once. */
const MAX_RULES = 12

const Rules = ({ said, rules }: { said: string; rules: ResolvedProfile['rules'] }) =>
  rules.length === 0 ? null : (
    <li>
      {said}{' '}
      {rules.slice(0, MAX_RULES).map(({ rule }, index) => (
        <span key={index}>
          {index > 0 && ', '}
          <code>{visibleText(rule)}</code>
        </span>
      ))}
      {rules.length > MAX_RULES && ` and ${rules.length - MAX_RULES} more`}.
    </li>
  )

const Part = ({ title, children }: { title: string; children: ReactNode }) => (
  <section className="stack tight">
    <h3>{title}</h3>
    <ul className="dots">{children}</ul>
  </section>
)

/** What this agent will be able to do, in plain words. */
export const Outlook = ({ of, cwd }: { of: ResolvedProfile; cwd: string }) => {
  const { agent, adapter, envNames, network, spendUsd, modelKey, hasServers, rules, notices, sandbox } = of
  const ruled = (effect: ResolvedProfile['rules'][number]['effect']) => rules.filter((rule) => rule.effect === effect)
  return (
    <section className="panel pad stack" aria-label="What it will be able to do">
      <h2>
        What <strong>{visibleText(agent)}</strong> will be able to do
      </h2>
      {sandbox === 'off' && <Note fault>This profile runs it without a container: a page does not start that. Start it in a terminal.</Note>}
      {adapter === 'none' ? (
        <Part title="Its actions">
          <li>They are not seen one by one: only the container, the checkpoint and the kill hold.</li>
        </Part>
      ) : (
        <>
          <Part title="Without asking">
            <li>
              Read and write in <code style={{ overflowWrap: 'anywhere' }}>{visibleText(cwd)}</code>, which is kept first, so that all of it can be put back.
            </li>
            <Rules said="What you allowed:" rules={ruled('allow')} />
          </Part>
          <Part title="Only with your answer">
            <li>Whatever destroys something, or reaches beyond the folder.</li>
            <Rules said="And what you want to be asked about:" rules={ruled('ask')} />
          </Part>
          <Part title="Never">
            <li>See your home, your keys, your keyring or other processes.</li>
            <Rules said="Nor what you denied:" rules={ruled('deny')} />
          </Part>
        </>
      )}
      <Part title="Beyond the folder">
        <li>{NETWORK[network]}</li>
        <li>{hasServers ? 'It may use the MCP servers of its profile, which run outside of its reach.' : 'It has no MCP servers.'}</li>
        <li>
          It holds no key: its model is paid with <code>{visibleText(modelKey)}</code>, which it never sees, {spendUsd === null ? <strong>without a cap.</strong> : <>up to <strong>${spendUsd}</strong>.</>}
        </li>
        <li>Of your environment it sees {envNames.length === 0 ? 'nothing' : <code>{envNames.filter((name) => !name.startsWith('LC_')).map(visibleText).join(', ')}</code>}.</li>
      </Part>
      {notices.map((notice) => (
        <Note key={notice}>{visibleText(notice)}</Note>
      ))}
    </section>
  )
}
