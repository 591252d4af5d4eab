"""The reference pages of the documentation, written from the code when `make docs` builds the site.

site       the hooks of MkDocs: adds the pages, and replaces links to files outside docs/
pages      the pages by their paths
markdown   tables and other Markdown
api, settings, commands, features, metrics, messages, errors   one page each
"""
