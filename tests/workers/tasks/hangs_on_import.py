import threading

threading.Event().wait(600)
