/** Where the embedded OP keeps its clients, sessions and tokens: a Map, gone when it stops. */
import type { Adapter, AdapterFactory, AdapterPayload } from 'oidc-provider'

interface Row {
  model: string
  payload: AdapterPayload
  expires: number
}

/** Makes the storage of one OP; oidc-provider's own says at every start that it is not for production. */
export function memoryAdapter(): AdapterFactory {
  const rows = new Map<string, Row>()

  function live(key: string): AdapterPayload | undefined {
    const row = rows.get(key)
    if (row && row.expires <= Date.now()) rows.delete(key)
    else return row?.payload
    return undefined
  }

  function search(model: string, matches: (payload: AdapterPayload) => boolean) {
    for (const [key, row] of rows) {
      if (row.model === model && matches(row.payload)) return live(key)
    }
    return undefined
  }

  return (model): Adapter => ({
    async upsert(id, payload, seconds = Number.POSITIVE_INFINITY) {
      rows.set(`${model}:${id}`, { model, payload, expires: Date.now() + seconds * 1000 })
    },
    async find(id) {
      return live(`${model}:${id}`)
    },
    async findByUid(uid) {
      return search(model, (payload) => payload.uid === uid)
    },
    async findByUserCode(code) {
      return search(model, (payload) => payload.userCode === code)
    },
    async consume(id) {
      const payload = live(`${model}:${id}`)
      if (payload) payload.consumed = Math.floor(Date.now() / 1000)
    },
    async destroy(id) {
      rows.delete(`${model}:${id}`)
    },
    async revokeByGrantId(grant_id) {
      for (const [key, row] of rows) {
        if (row.model === model && row.payload.grantId === grant_id) rows.delete(key)
      }
    },
  })
}
