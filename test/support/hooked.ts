import { fileURLToPath } from 'node:url'

/** What the program is loaded with for a test: modules of hooks/, such as `fast-time`. */
export function hookOption(...hooks: readonly string[]): string {
  return hooks.map((hook) => `--import=${fileURLToPath(new URL(`./hooks/${hook}.ts`, import.meta.url))}`).join(' ')
}

/** Starts a process whose Node loads these hooks first. @param start must spawn before it first waits */
export function withHooks<T>(hooks: readonly string[], start: () => T, environment: Record<string, string> = {}): T {
  const wanted: Record<string, string> = { ...environment, NODE_OPTIONS: hookOption(...hooks) }
  const before = Object.fromEntries(Object.keys(wanted).map((name) => [name, process.env[name]]))
  Object.assign(process.env, wanted)
  try {
    return start()
  } finally {
    for (const [name, value] of Object.entries(before)) {
      if (value === undefined) delete process.env[name]
      else process.env[name] = value
    }
  }
}
