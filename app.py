"""Open the app: python app.py [--host --port --share --auth user:password --runs_dir]"""

from cadrecode.ui.launch import run

if __name__ == "__main__":
    run()
