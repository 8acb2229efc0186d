import { hostname } from 'node:os'
import { fileURLToPath } from 'node:url'
import { HoldfastError } from '../../contract/errors.ts'
import { cursorFileOf, SENT_AT_ONCE, startSender } from '../../core/ledger/sender.ts'
import { parseSyslogTarget } from '../../core/ledger/syslog-sender.ts'
import { resolvePaths } from '../../core/paths.ts'
import { formatCount } from '../../domain/format.ts'
import type { Output } from './output.ts'
import { withHost } from './with-host.ts'

const PROGRAM = fileURLToPath(new URL('./ledger-sender.mjs', import.meta.url))

/** Throws HoldfastError `bad-params`. */
export const collectorUrl = (format: 'otlp' | 'syslog', to: string | undefined): string => {
  const url = to ?? (format === 'otlp' ? process.env['OTEL_EXPORTER_OTLP_ENDPOINT'] : undefined) ?? ''
  if (format === 'syslog') parseSyslogTarget(url)
  else if (!/^https?:$/.test(URL.parse(url)?.protocol ?? '')) {
    throw new HoldfastError('bad-params', 'Say where the collector is: --to http://127.0.0.1:4318, or OTEL_EXPORTER_OTLP_ENDPOINT.')
  }
  return url
}

/** OpenTelemetry's own variables, which its exporters read. */
const telemetryVariables = (): Record<string, string> =>
  Object.fromEntries(Object.entries(process.env).flatMap(([name, value]) => (name.startsWith('OTEL_') && value !== undefined ? [[name, value]] : [])))

/** Sends what the collector has not got yet; with `follow`, until the host ends, new entries as they come. */
export const sendToCollector = async (format: 'otlp' | 'syslog', to: string, follow: boolean, output: Output): Promise<void> => {
  const paths = resolvePaths(process.env)
  await withHost(async (client) => {
    let sent = 0
    const sender = startSender({
      program: PROGRAM,
      order: { format, to, cursorFile: cursorFileOf(paths.data, format, to), tries: follow ? Infinity : 3, hostname: hostname() },
      env: telemetryVariables(),
      read: (after) => client.call('ledger/read', { after, last: SENT_AT_ONCE }),
      say: output.note,
      onIdle: (count) => {
        sent += count
        if (!follow) void sender.close()
      },
    })
    client.on('ledger/appended', () => sender.saw())
    if (follow) await client.call('event/subscribe', {})
    void client.closed.then(() => sender.close())
    await sender.ended
    output.result({ sent }, [`${formatCount(sent)} entries sent.`])
  })
}
