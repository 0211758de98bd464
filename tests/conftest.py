"""Its being here lets every test import the helper modules of this folder."""
