"""`python -m epro.web`: the server's own process, which gevent makes cooperative before anything else is loaded."""

from gevent import monkey

monkey.patch_all()

if __name__ == "__main__":
    from epro.settings import read_settings
    from epro.web.serving import run

    run(read_settings())
