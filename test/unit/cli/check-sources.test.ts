// What `loghop agent check` says of a source is what `run` would make of it.

import * as fs from 'node:fs'
import * as path from 'node:path'
import test from 'ava'
import { agentOptions } from '../../../agent/options.ts'
import { checkSources } from '../../../cli/check-sources.ts'
import { temporaryDirectory } from '../../support/chain.ts'
import { load } from '../../support/configuration.ts'

test('a directory in the place of a file, and a place that is not there, are no sources', async (t) => {
  const directory = temporaryDirectory(t)
  fs.mkdirSync(path.join(directory, 'folder.log'))
  fs.writeFileSync(path.join(directory, 'one.log'), '')
  const verdictsOf = async (source: object): Promise<unknown> => {
    const options = { identity: '/i', spool: { directory: '/s' }, relays: ['r:1'], sources: [source] }
    const verdicts = await checkSources(load(JSON.stringify(options), agentOptions).sources)
    return verdicts.map(({ isGood, text, remedy }) => [isGood, ...[text, remedy].map((said) => said.replaceAll(directory, 'D'))])
  }
  t.deepEqual(await verdictsOf({ file: directory }), [
    [false, 'Cannot read D line by line: it is a directory', 'Name the files in it, such as D/*.log'],
  ])
  t.deepEqual(await verdictsOf({ file: `${directory}/*.log` }), [[true, 'D/*.log matches 1 file, which can be read', '']])
  const make = 'Make its directory, or run the agent as a user that may write there'
  for (const source of ['unix', 'pipe'])
    t.deepEqual(await verdictsOf({ [source]: `${directory}/none/s` }), [
      [false, "ENOENT: no such file or directory, access 'D/none'", make],
    ])
  t.deepEqual(await verdictsOf({ pipe: `${directory}/p` }), [[true, 'D/p can be made', '']])
  t.deepEqual(await verdictsOf({ unix: directory }), [[false, 'D is no socket', 'Name another path in sources, or move it away']])
})
