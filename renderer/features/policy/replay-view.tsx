import { useState } from 'react'
import type { Replay } from '../../../shared/contract/schemas/policy.ts'
import { inputSummary } from '../../../shared/domain/describe.ts'
import { formatCount } from '../../../shared/domain/format.ts'
import { visibleText } from '../../../shared/domain/visible-text.ts'
import { useAction, useHost } from '../../connection/hooks.ts'
import { ClassBadge, EffectBadge } from '../../ui/badge.tsx'
import { Button } from '../../ui/button.tsx'
import { Stats } from '../../ui/facts.tsx'
import { Empty, Fault } from '../../ui/note.tsx'
import { Ago } from '../../ui/time.tsx'
import { Table } from '../../ui/table.tsx'
import type { Scope } from './scope.tsx'

/** What past calls would come to under these rules. */
export const ReplayResult = ({ replay }: { replay: Replay }) => {
  const others = replay.stricter + replay.laxer
  return (
    <>
      <Stats
        of={[
          { name: 'Past calls', value: formatCount(replay.calls), aside: replay.incomplete === 0 ? 'all could be judged' : `${formatCount(replay.incomplete)} not recorded whole` },
          { name: 'Decided alike', value: formatCount(replay.same) },
          { name: 'More strictly', value: formatCount(replay.stricter) },
          { name: 'Less strictly', value: formatCount(replay.laxer) },
        ]}
      />
      {replay.calls === 0 && (
        <div className="panel">
          <Empty title="No call is in the audit log yet">
            <p>Once agents have worked, their calls are judged anew here.</p>
          </Empty>
        </div>
      )}
      {replay.differences.length > 0 && (
        <Table label="Calls decided otherwise" head={['Was', 'Now', 'Call', { name: 'By', className: 'wide-only' }, { name: 'When', className: 'wide-only' }]}>
          {replay.differences.map(({ toolCallId, was, now, tool, input, at, sessionId }) => (
            <tr key={toolCallId}>
              <td>
                <EffectBadge of={was} />
              </td>
              <td>
                <EffectBadge of={now.effect} />
              </td>
              <td style={{ overflowWrap: 'anywhere' }}>
                <a href={`#/sessions/${sessionId}`}>{visibleText(tool)}</a> <ClassBadge of={now.classification.class} /> <code>{visibleText(inputSummary(input))}</code>
              </td>
              <td className="wide-only" style={{ overflowWrap: 'anywhere' }}>
                {now.rules.filter(({ effect }) => effect === now.effect).map(({ rule, source }) => (
                  <code key={rule + source} title={visibleText(source)}>
                    {visibleText(rule)}{' '}
                  </code>
                ))}
              </td>
              <td className="wide-only">
                <Ago at={at} />
              </td>
            </tr>
          ))}
        </Table>
      )}
      {others > replay.differences.length && <p className="muted">The newest {replay.differences.length} of {formatCount(others)} are shown.</p>}
    </>
  )
}

/** Judges every past call by the profile as it is now, and the holdfast.yaml of its folder. */
export const ReplayView = ({ scope }: { scope: Scope }) => {
  const host = useHost()
  const action = useAction()
  const [replay, setReplay] = useState<Replay | null>(null)
  return (
    <>
      <p className="muted">Takes every call in the audit log and judges it by this profile and the holdfast.yaml of its own folder, as they are now. Nothing runs or changes.</p>
      <div className="bar">
        <Button kind="primary" disabled={action.busy !== null} onClick={() => action.run('Judging…', async () => setReplay(await host.call('policy/replay', scope.profile === '' ? {} : { profile: scope.profile })))}>
          {action.busy ?? 'Replay past calls'}
        </Button>
      </div>
      <Fault text={action.fault} />
      {replay !== null && <ReplayResult replay={replay} />}
    </>
  )
}
