"""The language model with eyes: point encoder, network, tokens, loading, adapters, decoding.

Importing this package imports neither torch nor transformers; its modules do.
"""

import threading

# transformers fills itself in as it is asked, and two threads that ask at once end in "cannot import name ...": who
# imports these modules in a thread of the app, or loads a model there for the first time, holds this.
IMPORTING = threading.RLock()
