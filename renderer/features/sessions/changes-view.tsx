import type { Session } from '../../../shared/contract/schemas/session.ts'
import { useQuery } from '../../connection/hooks.ts'
import { Ago, Empty, Fault } from '../../ui/basics.tsx'

/** The states of the folder that were kept. */
export const ChangesView = ({ session }: { session: Session }) => {
  const { data, fault } = useQuery('checkpoint/list', { sessionId: session.id })
  return (
    <>
      <Fault text={fault} />
      {data?.checkpoints.length === 0 && <Empty title="No checkpoint yet" />}
      {data !== null && data.checkpoints.length > 0 && (
        <div className="panel table-wrap" role="region" aria-label="Checkpoints" tabIndex={0}>
          <table className="table">
            <thead>
              <tr>
                <th scope="col">Checkpoint</th>
                <th scope="col">Taken</th>
                <th scope="col" className="end">Files</th>
              </tr>
            </thead>
            <tbody>
              {data.checkpoints.map((checkpoint) => (
                <tr key={checkpoint.id}>
                  <td>{checkpoint.reason}</td>
                  <td>
                    <Ago at={checkpoint.takenAt} />
                  </td>
                  <td className="end number">{checkpoint.fileCount}</td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      )}
    </>
  )
}
