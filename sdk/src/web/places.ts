/** Where a website is, and where on it login and logout are. */

/** What {@link readPlaces} reads of the options. */
export interface PlaceOptions {
  login_path?: string | undefined
  logout_path?: string | undefined
  after_login?: string | undefined
  after_logout?: string | undefined
}

/** A website's addresses, checked. */
export interface Places {
  /** Such as `https://site.example`: from the cfg, never from a request (its Host may be forged). */
  origin: string
  callback_path: string
  login_path: string
  logout_path: string
  /** The three above, where no login may return to. */
  own_paths: ReadonlySet<string>
  /** Absolute. */
  after_login: string
  /** Absolute. */
  after_logout: string
  /** Whether a request for {@link callback_path} is the callback: the cfg's URI may have a query of its own. */
  isCallback(url: URL): boolean
}

/**
 * @param redirect_uri the cfg's `authorization_redirect_uri`
 * @throws TypeError naming the option that will not do
 */
export function readPlaces(redirect_uri: string, options: PlaceOptions): Places {
  if (/\{op\}/.test(redirect_uri)) {
    throw new TypeError(
      'authorization_redirect_uri has {op} in it, which stands for an address that only relyd knows; write one address for each OP, each in a cfg of its own',
    )
  }
  const callback = new URL(redirect_uri)
  const { origin, pathname: callback_path } = callback
  if (!/^https?:$/.test(callback.protocol)) {
    throw new TypeError(
      `authorization_redirect_uri must be an http(s) address for a website, not "${callback.protocol}"`,
    )
  }
  const path = (name: 'login_path' | 'logout_path', sibling: string) => {
    const value = options[name] ?? new URL(sibling, redirect_uri).pathname
    if (parse(value, origin)?.pathname === value) return value
    throw new TypeError(`${name} must be a path such as "/login", as browsers write it`)
  }
  const address = (name: 'after_login' | 'after_logout') => {
    const url = parse(options[name] ?? '/', origin)
    if (url && /^https?:$/.test(url.protocol)) return url.href
    throw new TypeError(`${name} must be a path such as "/", or an http(s) address`)
  }
  const login_path = path('login_path', 'login')
  const logout_path = path('logout_path', 'logout')
  const own_paths = new Set([callback_path, login_path, logout_path])
  if (own_paths.size < 3) {
    throw new TypeError(
      `login_path, logout_path and the callback's path (${callback_path}) must differ`,
    )
  }
  return {
    origin,
    callback_path,
    login_path,
    logout_path,
    own_paths,
    after_login: address('after_login'),
    after_logout: address('after_logout'),
    isCallback: ({ pathname, searchParams }) =>
      pathname === callback_path &&
      [...callback.searchParams].every(([name, value]) => searchParams.get(name) === value),
  }
}

function parse(value: string, origin: string): URL | undefined {
  return URL.canParse(value, origin) ? new URL(value, origin) : undefined
}
