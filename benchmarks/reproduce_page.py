def write_page(*args):
    print("page")
