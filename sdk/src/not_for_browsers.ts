/** What a browser's bundler gets in the SDK's place: nothing to import, so that it stops, and a word on why. */
throw new Error(
  '@relyd/sdk belongs on the web server: it talks to the relyd daemon over a socket, which a ' +
    'browser cannot open. Import it in server code only, and let pages ask that.',
)

export {}
