"""Downloads one pinned file from the user's own Python package index.

`pip download` would run a source archive's setup script to learn its metadata; this fetches the named file and runs
nothing. It goes through pip's own index reader, so mirrors, proxies, certificates and credentials are those the user
has configured. pip's inside is not a public interface: .venv pins pip's version (requirements.txt).

    python download.py PROJECT FILE FOLDER      leaves FOLDER/FILE; the caller checks its sha256
"""

import sys

from pip._internal.commands.download import DownloadCommand
from pip._internal.network.download import Downloader


class Fetch(DownloadCommand):
    def run(self, options, args):
        project, filename, folder = args
        session = self.get_default_session(options)
        finder = self._build_package_finder(options, session)
        sources = finder._link_collector.collect_sources(
            project_name=project, candidates_from_page=finder.links_of_page
        )
        for source in [*sources.index_urls, *sources.find_links]:
            for link in [] if source is None else [*source.page_candidates(), *source.file_links()]:
                if link.filename == filename:
                    Downloader(session, "on")(link, folder)
                    return 0
        print(f"No package index of yours offers {filename} of {project}.", file=sys.stderr)
        return 1


def links_of_page(finder):
    """Every link of a project's page, whatever Python or platform it is for."""

    def read(page):
        from pip._internal.index.collector import parse_links

        response = finder._link_collector.fetch_response(page)
        return [] if response is None else list(parse_links(response))

    return read


if __name__ == "__main__":
    from pip._internal.index.package_finder import PackageFinder

    PackageFinder.links_of_page = property(links_of_page)
    sys.exit(Fetch("download", "").main(sys.argv[1:]))
