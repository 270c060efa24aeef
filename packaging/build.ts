// npm run package [-- --npm] [--arch amd64] [--out DIR] [--version VERSION] [--quick]: a .deb and a tar.gz for each processor, the same bytes for the same sources.
// And without --arch the package for npm, which is all of it with --npm. --quick, for tests: the .deb alone, hardly compressed.

import { execFileSync } from 'node:child_process'
import * as fs from 'node:fs'
import * as path from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { type Build, fillTree } from './contents.ts'
import { packDebian } from './debian.ts'
import { ARCHITECTURES, type Architecture } from './locked.ts'
import { packNpm } from './npm.ts'
import { measureStart } from './startup.ts'
import { Tree } from './tree.ts'

const ROOT = fileURLToPath(new URL('..', import.meta.url))
const MIB = 1 << 20

const { values } = parseArgs({
  options: {
    arch: { type: 'string', multiple: true },
    out: { type: 'string', default: path.join(ROOT, 'dist') },
    version: { type: 'string' },
    npm: { type: 'boolean', default: false },
    quick: { type: 'boolean', default: false },
  },
})

/** Of the last commit, where nobody says otherwise. */
function sourceEpoch(): number {
  const said = process.env['SOURCE_DATE_EPOCH']
  if (said !== undefined && /^\d+$/.test(said)) return Number(said)
  try {
    const committed = execFileSync('git', ['-c', 'safe.directory=*', 'log', '-1', '--format=%ct'], {
      cwd: ROOT,
      stdio: ['ignore', 'pipe', 'ignore'],
    })
    return Number(committed.toString('latin1'))
  } catch {
    // No git, or no checkout: when its dependencies were last decided.
    return Math.floor(fs.statSync(path.join(ROOT, 'package-lock.json')).mtimeMs / 1000)
  }
}

function packTar(tree: Tree, { version, architecture, epoch }: Build, out: string): string {
  const file = path.join(out, `loghop-${version}-linux-${ARCHITECTURES[architecture]}.tar.gz`)
  const order = ['--sort=name', `--mtime=@${epoch}`, '--owner=0', '--group=0', '--numeric-owner', '--format=gnu']
  execFileSync('sh', [
    '-c',
    'cd "$1" && shift && file=$1 && shift && tar "$@" -cf - etc usr | gzip -9n >"$file"',
    'sh',
    tree.root,
    file,
    ...order,
  ])
  return file
}

function show(file: string): void {
  process.stdout.write(`${path.relative(process.cwd(), file)}  ${(fs.statSync(file).size / MIB).toFixed(1)} MiB\n`)
}

const out = path.resolve(values.out)
const cache = path.join(out, 'cache')
fs.mkdirSync(cache, { recursive: true })
const { version } = JSON.parse(fs.readFileSync(path.join(ROOT, 'package.json'), 'utf8')) as { version: string }
const architectures = values.npm ? [] : (values.arch ?? Object.keys(ARCHITECTURES))
for (const architecture of architectures as Architecture[]) {
  if (ARCHITECTURES[architecture] === undefined)
    throw new Error(`Cannot package for ${architecture}: known are ${Object.keys(ARCHITECTURES).join(' and ')}`)
  const build: Build = { root: ROOT, cache, architecture, version: values.version ?? version, epoch: sourceEpoch() }
  const tree = new Tree(path.join(out, `tree-${architecture}`))
  await fillTree(tree, build)
  tree.settle(build.epoch)
  process.stdout.write(`${architecture}: ${tree.files().length} files, ${(tree.bytes / MIB).toFixed(1)} MiB installed\n`)
  if (!values.quick && ARCHITECTURES[architecture] === process.arch)
    process.stdout.write(`start of the agent to READY: ${await measureStart(tree)}\n`)
  if (!values.quick) show(packTar(tree, build, out))
  show(packDebian(tree, build, out, values.quick ? ['-Zgzip', '-z1'] : ['-Zxz']))
  fs.rmSync(tree.root, { recursive: true, force: true })
}
if (values.npm || values.arch === undefined) show(packNpm(ROOT, out))
