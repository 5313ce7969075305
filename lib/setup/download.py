"""Downloads one pinned file from the configured Python package index.

`pip download` would run the setup script of a source archive to read its metadata; this only downloads the file. It
uses pip's index code, so that mirrors, proxies, certificates and credentials are those of the pip configuration. pip's
internals are not a public interface, so .venv pins the version of pip (requirements.txt).

    python download.py PROJECT FILE FOLDER      writes FOLDER/FILE; the caller checks its sha256
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
        print(f"No configured package index has {filename} of {project}.", file=sys.stderr)
        return 1


def links_of_page(finder):
    """Returns a reader of all links on a project page, regardless of Python version and platform."""

    def read(page):
        from pip._internal.index.collector import parse_links

        response = finder._link_collector.fetch_response(page)
        return [] if response is None else list(parse_links(response))

    return read


if __name__ == "__main__":
    from pip._internal.index.package_finder import PackageFinder

    PackageFinder.links_of_page = property(links_of_page)
    sys.exit(Fetch("download", "").main(sys.argv[1:]))
