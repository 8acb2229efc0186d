import type { PolicyLayerRules } from '../../../shared/contract/schemas/policy.ts'
import { visibleText } from '../../../shared/domain/visible-text.ts'
import { useQuery } from '../../connection/hooks.ts'
import { EffectBadge } from '../../ui/badge.tsx'
import { ButtonLink } from '../../ui/button.tsx'
import { Empty, Fault, Note } from '../../ui/note.tsx'
import { Page, Tabs } from '../../ui/page.tsx'
import { Table } from '../../ui/table.tsx'
import { ExplainView } from './explain-view.tsx'
import { ReplayView } from './replay-view.tsx'
import { ScopeFields, scopeParams, useScope, type Scope } from './scope.tsx'

const ORIGINS: Readonly<Record<PolicyLayerRules['origin'], { title: string; said: string }>> = {
  'built-in': { title: 'Built in', said: 'No file lifts these.' },
  organisation: { title: 'Your organisation', said: 'Laid down for this machine: it only tightens, and no other file lifts it.' },
  user: { title: 'Your profile', said: 'What you allow, ask and deny. Only an allow that names exactly a destructive call lifts the question for it.' },
  project: { title: 'The folder’s holdfast.yaml', said: 'Can only tighten: its allow rules lift no question.' },
  session: { title: 'This session', said: 'Given where the session was started, for it alone.' },
}

const Layer = ({ layer }: { layer: PolicyLayerRules }) => {
  const { title, said } = ORIGINS[layer.origin]
  return (
    <section className="panel" aria-label={title}>
      <div className="pad stack tight">
        <h2>{title}</h2>
        <p className="muted">{said}</p>
      </div>
      {layer.rules.length === 0 ? (
        <p className="muted" style={{ padding: '0 14px 12px' }}>It has no rules.</p>
      ) : (
        <Table bare label={`Rules: ${title}`} head={[{ name: 'Does', className: 'slim' }, 'Rule', ...(layer.origin === 'built-in' ? [] : [{ name: 'Stands in', className: 'wide-only' }])]}>
          {layer.rules.map(({ effect, rule, source }, index) => (
            <tr key={index}>
              <td>
                <EffectBadge of={effect} />
              </td>
              <td>
                <code style={{ overflowWrap: 'anywhere' }}>{visibleText(rule)}</code>
              </td>
              {layer.origin !== 'built-in' && (
                <td className="muted wide-only" style={{ overflowWrap: 'anywhere' }}>
                  {visibleText(source)}
                </td>
              )}
            </tr>
          ))}
        </Table>
      )}
    </section>
  )
}

const RulesView = ({ scope }: { scope: Scope }) => {
  const { data, fault } = useQuery('policy/rules', scopeParams(scope))
  const hasUser = data?.layers.some(({ origin }) => origin === 'user') === true
  return (
    <>
      <Fault text={fault} />
      {data?.notices.map((notice) => (
        <Note key={notice}>{visibleText(notice)}</Note>
      ))}
            {data !== null && !hasUser && (
        <div className="panel">
          <Empty title="No profile of yours is in force here">
            <p>The built-in rules hold alone.</p>
            <ButtonLink href="#/agents/new">Write a profile</ButtonLink>
          </Empty>
        </div>
      )}
      {data?.layers.toReversed().map((layer) => <Layer key={layer.origin} layer={layer} />)}
      <p className="muted">The strictest rule that matches wins. Where none does, reading and writing in the folder is allowed, and what is destructive is asked about.</p>
    </>
  )
}

export const PolicyPage = ({ tab }: { tab: string }) => {
  const [scope, setScope] = useScope()
  return (
    <Page title="Policy" actions={scope.profile === '' ? null : <ButtonLink href={`#/agents/${encodeURIComponent(scope.profile)}`}>Change these rules</ButtonLink>}>
      <Tabs
        label="Parts of the policy"
        current={tab}
        of={[
          { id: 'rules', name: 'Rules in force', href: '#/policy' },
          { id: 'explain', name: 'Explain a call', href: '#/policy/explain' },
          { id: 'replay', name: 'Replay', href: '#/policy/replay' },
        ]}
      />
      <ScopeFields scope={scope} withFolder={tab !== 'replay'} onChange={setScope} />
      {tab === 'rules' && <RulesView scope={scope} />}
      {tab === 'explain' && <ExplainView scope={scope} />}
      {tab === 'replay' && <ReplayView scope={scope} />}
    </Page>
  )
}
