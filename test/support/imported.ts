// An old syslog.conf, imported by the command and moved into a test's directory.

import * as fs from 'node:fs'
import * as path from 'node:path'
import type { ExecutionContext } from 'ava'
import type { Dialect } from '../../core/syslog/selector-names.ts'
import { AGENT_NAME, type Chain } from './chain.ts'
import { loghop } from './daemon.ts'

/** Files of the conf are below this folder of the chain's directory; what is below /dev stays. */
export function movedConf(chain: Chain, conf: string): string {
  return conf.replaceAll('/var/log/', `${chain.place('var/log')}/`)
}

/** Imports it. @returns the agent.yaml that it gave, with the chain's identity, spool, socket and relay */
export async function importedConfig(t: ExecutionContext, chain: Chain, conf: string, dialect: Dialect): Promise<string> {
  fs.mkdirSync(chain.place('var/log'), { recursive: true })
  fs.writeFileSync(chain.place('syslog.conf'), conf)
  const out = chain.place('imported.yaml')
  const { code, stderr } = await loghop('import', chain.place('syslog.conf'), '--dialect', dialect, '--out', out)
  t.is(code, 0, stderr)
  const made = fs.readFileSync(out, 'utf8')
  const rules = made.slice(made.indexOf('\nrules:') + 1)
  const config = path.join(chain.directory, 'agent.yaml')
  fs.writeFileSync(
    config,
    `identity: ${chain.place('agent-identity')}
hostname: ${AGENT_NAME}
spool: { directory: ${chain.place('agent-spool')} }
sources: [ { unix: ${chain.socket} } ]
relays: [ "127.0.0.1:${chain.port || 1}" ]
${rules}`,
  )
  return config
}
